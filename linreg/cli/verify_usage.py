"""Check what `linreg verify` is given, and name the command to use for other files."""

import shlex
from pathlib import Path

import typer

from linreg.cli.bundle import require
from linreg.cli.file_kinds import STATES, is_table
from linreg.errors import LinregError


def check_verifiable(path: Path) -> None:
    """Check that a path may be a bundle or a file in one.

    Raises:
        ModelError: the path does not exist.
        LinregError: the path is another kind of file; the message says what to use instead.
    """
    from linreg.manifest import MANIFEST_FILE, read_manifest

    if not path.exists():
        manifest = read_manifest(path.parent)
        if manifest is None or manifest.entry(path.name) is None:  # a listed file that is missing is a mismatch
            require(path)
        return
    if path.is_dir():
        return
    quoted, listed = shlex.quote(str(path)), (path.parent / MANIFEST_FILE).exists()
    if is_table(path):
        raise LinregError(
            f"{path}: is a table, expected a bundle or an artifact in one; "
            f"to verify a bundle with these rows: linreg verify BUNDLE --data {quoted}"
        )
    if path.suffix == ".py":
        raise LinregError(
            f"{path}: is Python code, expected a bundle or an artifact in one; "
            f"to export a module of it: linreg export --module {quoted}:NAME -o BUNDLE"
        )
    if path.suffix in STATES and not listed:
        folder = shlex.quote(str(path.with_suffix("")))
        raise LinregError(
            f"{path}: is a state_dict without a {MANIFEST_FILE} beside it, expected a bundle or an artifact in one; "
            f"export it first, which verifies what is written: linreg export -m {quoted} -o {folder}"
        )


def check_data(path: Path) -> None:
    """Check that at least one of the artifacts can run the rows of a table.

    Args:
        path: the bundle, or one artifact in it.

    Raises:
        typer.BadParameter: the batch size of every artifact is fixed.
    """
    from export.bundle.verify import all_static
    from linreg.manifest import read_manifest

    manifest = read_manifest(path if path.is_dir() else path.parent)
    artifacts = [entry for entry in manifest.files if entry.proof] if manifest is not None else []
    entries = [entry for entry in artifacts if entry.name == path.name] or artifacts
    if entries and all_static(entries):
        names = ", ".join(entry.name for entry in entries)
        raise typer.BadParameter(f"--data needs a dynamic batch size, and that of {names} is fixed; leave it out")
