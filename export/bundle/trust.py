"""Which programs this user made: TorchScript and .pt2 files run code when they are loaded.

A manifest proves that a file is unchanged, not that it is safe. So a program is loaded without asking only if its
sha256 is in this user's ledger, `$XDG_STATE_HOME/linreg/written`, where every export writes it.
"""

import os
from pathlib import Path

from linreg.errors import LinregError
from linreg.files import append_line, sha256


def state_folder() -> Path:
    """Where this user's own state is; in `~/.local/state` where XDG_STATE_HOME is not set.

    A relative path there is ignored, as the XDG Base Directory Specification says: it would be another folder after
    each `cd`, and a downloaded one could say what this user made.

    Raises:
        LinregError: there is no home folder either.
    """
    state = Path(os.environ.get("XDG_STATE_HOME", ""))
    if state.is_absolute():
        return state / "linreg"
    try:
        home = Path.home()
    except RuntimeError:  # a user without an entry in the system's list of users, as in a container
        home = Path()
    if not home.is_absolute():
        raise LinregError("there is no home folder for what linreg has written; set XDG_STATE_HOME to an absolute path")
    return home / ".local" / "state" / "linreg"


def ledger_path() -> Path:
    """Where the ledger is."""
    return state_folder() / "written"


def remember(data: bytes) -> None:
    """Enter a program that this user has just made."""
    if not is_ours(data):
        append_line(ledger_path(), sha256(data), hint="set XDG_STATE_HOME to a folder of your own")


def is_ours(data: bytes) -> bool:
    """Whether this user made a program."""
    try:
        return sha256(data) in ledger_path().read_text(encoding="ascii", errors="replace").split()
    except (OSError, LinregError):
        return False
