"""Which files of a folder belong to a table."""

import fnmatch
import glob
from collections.abc import Sequence
from itertools import takewhile

from linreg.errors import DataError

IGNORED = (".", "_")


def check_folder(name: str, folders: list[str], entries: int, options: str = "") -> None:
    """Check that a folder holds files and no folders.

    Raises:
        DataError: it does not.
    """
    if folders:
        pattern = f"{name.rstrip('/')}/**/*{options}"
        raise DataError(
            f"{name}: has the folder {folders[0]!r} in it, expected files; name them with a pattern: '{pattern}'"
        )
    if not entries:
        raise DataError(f"{name}: is a folder without files; expected CSV or Parquet")


def parts_before_pattern(parts: Sequence[str]) -> list[str]:
    """Return the parts of a path before the first that is a pattern."""
    return list(takewhile(lambda part: not glob.has_magic(part), parts))


def is_ignored(parts: Sequence[str]) -> bool:
    """Return whether a path below a folder is no part of the table."""
    return any(part.startswith(IGNORED) for part in parts)


def matches(parts: Sequence[str], pattern: Sequence[str]) -> bool:
    """Return whether the parts of a path match those of a pattern; `**` stands for any number of folders."""
    if not pattern:
        return not parts
    if pattern[0] == "**" and matches(parts, pattern[1:]):
        return True
    here = bool(parts) and fnmatch.fnmatchcase(parts[0], pattern[0])
    return here and matches(parts[1:], pattern if pattern[0] == "**" else pattern[1:])
