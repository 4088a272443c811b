"""What `linreg verify` can look at, and what to type for the rest."""

import shlex
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from linreg.cli.file_kinds import STATES, is_table
from linreg.errors import LinregError

if TYPE_CHECKING:
    from linreg.manifest import Manifest


def check_verifiable(path: Path) -> None:
    """See that a path may be a bundle, or a file of one.

    Raises:
        LinregError: it is something else that is there; the message says what to type for it.
    """
    from linreg.manifest import MANIFEST_FILE

    if not path.is_file():
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
        raise LinregError(
            f"{path}: is a state_dict without a {MANIFEST_FILE} beside it, expected a bundle or an artifact in one; "
            f"export it first, which verifies what is written: linreg export -m {quoted}"
        )


def check_data(manifest: "Manifest", names: list[str]) -> None:
    """See that rows of the user's own can be run by one of the artifacts.

    Raises:
        typer.BadParameter: all of them take a batch of fixed size.
    """
    entries = [manifest.entry(name) for name in names]
    if all(entry is not None and entry.proof.get("static") for entry in entries):
        raise typer.BadParameter(
            f"--data has rows of any number, and {', '.join(names)} takes a batch of fixed size; leave it out"
        )
