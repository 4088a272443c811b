"""The ledger of what this user exported: `$XDG_STATE_HOME/linreg/written`, one sha256 per line.

A manifest proves that a file is unchanged, not that it is safe. A program is therefore loaded without `--trust` only if
its sha256 is in the ledger, where every export records it.
"""

import os
from pathlib import Path

from linreg.errors import LinregError
from linreg.files import append_line, sha256


def state_folder() -> Path:
    """Return the folder for this user's state: `linreg` in XDG_STATE_HOME, or in `~/.local/state` if that is not set.

    A relative XDG_STATE_HOME is ignored, as the XDG Base Directory Specification requires. It would name a different
    folder after each `cd`, and a downloaded folder could then claim that this user made its files.

    Raises:
        LinregError: there is no home folder.
    """
    state = Path(os.environ.get("XDG_STATE_HOME", ""))
    if state.is_absolute():
        return state / "linreg"
    try:
        home = Path.home()
    except RuntimeError:  # a user without an entry in the system's list of users, as in a container
        home = Path()
    if not home.is_absolute():
        raise LinregError("there is no home folder to record exported files in; set XDG_STATE_HOME to an absolute path")
    return home / ".local" / "state" / "linreg"


def ledger_path() -> Path:
    """Return the path of the ledger."""
    return state_folder() / "written"


def remember(data: bytes) -> None:
    """Record an artifact that this user has just made."""
    if not is_ours(data):
        append_line(ledger_path(), sha256(data), hint="set XDG_STATE_HOME to a folder of your own")


def is_ours(data: bytes) -> bool:
    """Return whether the ledger lists these bytes."""
    try:
        return sha256(data) in ledger_path().read_text(encoding="ascii", errors="replace").split()
    except (OSError, LinregError):
        return False
