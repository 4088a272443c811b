"""The output of `linreg predict`: where it goes, and in which format."""

import glob
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from linreg.cli.file_kinds import is_table
from linreg.cli.table_options import check_apart
from linreg.cli.terminal import note, print_csv, say_waiting
from linreg.ending import EndedError
from linreg.errors import LinregError, TerminatedError

if TYPE_CHECKING:
    import pyarrow as pa

    from linreg.files import Contents

STDOUT = "-"


class OutputKind(StrEnum):
    """The format of a table of predictions: the suffix of its file, a folder, or stdout."""

    CSV = ".csv"
    GZIP = ".csv.gz"
    PARQUET = ".parquet"
    FOLDER = "/"
    STDOUT = STDOUT


FILES = (OutputKind.CSV, OutputKind.GZIP, OutputKind.PARQUET)


@dataclass(frozen=True, kw_only=True)
class Output:
    """Where predictions go.

    Attributes:
        kind: the format.
        path: the file or folder.
    """

    kind: OutputKind
    path: Path

    @property
    def is_stdout(self) -> bool:
        """Whether predictions are printed."""
        return self.kind is OutputKind.STDOUT


def parse_output(text: str | None) -> Output:
    """Return where the predictions for a table go; without `-o`, they go to stdout.

    Raises:
        LinregError: it is an existing folder, without a slash at its end.
        typer.BadParameter: the name does not say in which format the predictions should be written.
    """
    if text is None or text == STDOUT:
        return Output(kind=OutputKind.STDOUT, path=Path(STDOUT))
    path = Path(text)
    if text.endswith("/"):
        return Output(kind=OutputKind.FOLDER, path=path)
    _check_regular(path)
    for kind in FILES:
        if path.name.lower().endswith(kind) and len(path.name) > len(kind):
            return Output(kind=kind, path=path)
    named = path.parent / f"{path.name.partition('.')[0] or 'predictions'}.csv"
    raise typer.BadParameter(
        f"--output: got {text}, expected a name that ends in .csv, .csv.gz or .parquet, a folder such as predictions/, "
        f"or - for stdout; use -o {named}, or omit -o"
    )


def check_table_output(output: Output, table: str, *, force: bool) -> None:
    """Check, before predicting, that predictions may be written.

    Raises:
        LinregError: the output cannot be written, or is a part of the table.
        typer.BadParameter: `--force` has nothing to overwrite.
    """
    if output.is_stdout:
        if force:
            raise typer.BadParameter("--force needs an output file; add -o FILE, or omit --force")
        return
    from linreg.folders import ensure_folder

    check_apart(output.path, table)
    if output.kind is OutputKind.FOLDER:
        from linreg.writing.parts import check_folder

        ensure_folder(output.path)
        check_folder(output.path, force=force)
    else:
        check_output(output.path, Path(table))
        ensure_folder(output.path.parent)


def check_apart_from(output: Output, table: str, files: "Iterable[Path]") -> None:
    """Check, before predicting, that the output will neither replace a file of the table nor become one.

    Args:
        output: where predictions go.
        table: the table, as the user named it: perhaps by a pattern or a URI.
        files: the files that it is read from.

    Raises:
        LinregError: it would.
    """
    if output.is_stdout:
        return
    from linreg.journal import PART_NAME
    from linreg.writing.part_list import part_name

    is_folder = output.kind is OutputKind.FOLDER
    for file in files:
        same = output.path.exists() and file.exists() and file.samefile(output.path)
        if same or (is_folder and PART_NAME.fullmatch(file.name) and file.resolve().parent == output.path.resolve()):
            raise LinregError(
                f"{file if is_folder else output.path}: is a file of the table {table}, which is never overwritten; "
                "choose another -o"
            )
    written = output.path / part_name(0) if is_folder else output.path
    if glob.has_magic(table) and not Path(table).exists() and written.absolute().match(str(Path(table).absolute())):
        raise LinregError(f"{written}: matches {table}, and would become a part of the table; choose another -o")


def check_schema(output: Output, table: str, schema: "pa.Schema") -> None:
    """Check, before a row is read, that the format can hold the columns.

    Raises:
        DataError: it is CSV and a column is nested, or it is Parquet and two columns have one name.
    """
    if output.kind in (OutputKind.PARQUET, OutputKind.FOLDER):
        from linreg.writing.contents import check_parquet

        check_parquet(table, schema)
    else:
        from linreg.writing.csv_text import check_csv

        check_csv(table, schema)


def write_table(output: Output, batches: "Iterator[pa.RecordBatch]", *, force: bool) -> str:
    """Write predictions, unless the output already holds them, which lets the user repeat an interrupted command.

    Returns:
        What was written, to follow the number of predictions; empty for stdout.

    Raises:
        LinregError: the output has other contents, or cannot be written.
    """
    if output.is_stdout:
        from linreg.writing.csv_text import csv_chunks

        try:
            for chunk in csv_chunks(batches):
                print_csv(chunk)
        except (KeyboardInterrupt, TerminatedError):
            raise EndedError("stdout got only the first rows, and the last of them may be cut") from None
        return ""
    if output.kind is OutputKind.FOLDER:
        from linreg.writing.parts import write_parts

        count, written = write_parts(output.path, batches, force=force, on_wait=say_waiting)
        shown = f" in {count} part{'s' if count > 1 else ''}: {output.path}/"
    else:
        from linreg.writing.contents import csv_contents, gzip_contents, parquet_contents

        contents = {
            OutputKind.CSV: csv_contents,
            OutputKind.GZIP: gzip_contents,
            OutputKind.PARQUET: parquet_contents,
        }[output.kind]
        written = _write_file(output.path, contents(batches), force=force)
        shown = f": {output.path}"
    return shown if written else f"{shown} (already up to date)"


def write_output(output: Path, data: bytes, what: str, *, force: bool) -> None:
    """Write a file, unless it already has these contents, and say so.

    Raises:
        LinregError: the file exists with other contents, or cannot be written.
    """
    written = _write_file(output, data, force=force)
    note(f"{what}: {output}{'' if written else ' (already up to date)'}")


def _write_file(output: Path, data: "Contents", *, force: bool) -> bool:
    from linreg.file_comparison import holds
    from linreg.files import write_atomic

    _check_regular(output)
    if output.exists() and not force:
        if not holds(output, data):
            raise LinregError(
                f"{output}: already exists with other contents; use --force to overwrite it, or another -o"
            )
        return False
    write_atomic(output, data)
    return True


def _check_regular(output: Path) -> None:
    if output.is_symlink():
        raise LinregError(
            f"{output}: is a symbolic link, which is not followed; name the target file with -o, or remove the link"
        )
    if output.is_dir():
        raise LinregError(
            f"{output}: is not a regular file but a folder; choose another -o, "
            f"or end it with a slash to write a folder of Parquet files: -o {output}/"
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


def check_npz(output: Path) -> None:
    """Check that the name of an output file of arrays ends in .npz.

    Raises:
        typer.BadParameter: it has another suffix.
    """
    if output.suffix.lower() != ".npz":
        raise typer.BadParameter(
            f"--output: got {output}, expected a name that ends in .npz, since predictions are written as .npz; "
            f"use -o {output.with_suffix('.npz') if output.name else 'predictions.npz'}"
        )
