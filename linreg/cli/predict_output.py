"""Write the output file of `linreg predict`."""

from pathlib import Path

import typer

from linreg.cli.file_kinds import is_table
from linreg.cli.terminal import note
from linreg.errors import LinregError


def write_output(output: Path, data: bytes, what: str, *, force: bool) -> None:
    """Write the predictions, unless the file already holds them.

    This lets the user repeat an interrupted command.

    Raises:
        LinregError: the file exists with other contents, or cannot be written.
    """
    from linreg.files import read_bytes, write_atomic

    _check_regular(output)
    if output.exists() and not force:
        if output.stat().st_size != len(data) or read_bytes(output, limit=len(data)) != data:
            raise LinregError(
                f"{output}: already exists with other contents; use --force to overwrite it, or another -o"
            )
        note(f"{what}: {output} (already up to date)")
        return
    write_atomic(output, data)
    note(f"{what}: {output}")


def _check_regular(output: Path) -> None:
    if output.is_symlink():
        raise LinregError(
            f"{output}: is a symbolic link, which is not followed; name the target file with -o, or remove the link"
        )
    if output.exists() and not output.is_file():
        raise LinregError(f"{output}: is not a regular file, expected a file to write; choose another -o")


def check_output(output: Path, given: Path) -> None:
    """Check, before predicting, that an output file may be written.

    Args:
        output: the output file.
        given: the file to predict, which is never overwritten.

    Raises:
        LinregError: the output is a link, is not a regular file, or is the input.
    """
    _check_regular(output)
    if output.exists() and given.exists() and output.samefile(given):
        what = "the table" if is_table(given) else "the input"
        raise LinregError(f"{output}: is {what} itself, which is never overwritten; choose another -o")


def check_suffix(output: Path, suffix: str, remedy: str = "") -> None:
    """Check that the name of an output file has the suffix of its format.

    Args:
        output: the output file.
        suffix: the suffix, such as `.csv`.
        remedy: another way, which ends the message.

    Raises:
        typer.BadParameter: it has another suffix.
    """
    if output.suffix.lower() != suffix:
        written = suffix.removeprefix(".")
        raise typer.BadParameter(
            f"--output: got {output}, expected a name that ends in {suffix}, since predictions are written as "
            f"{written.upper() if written == 'csv' else suffix}; "
            f"use -o {output.with_suffix(suffix) if output.name else f'predictions{suffix}'}{remedy}"
        )
