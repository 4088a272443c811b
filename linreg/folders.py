"""Folders: temporary ones, and whether files can be written in one."""

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from linreg.ending import remove_if_killed
from linreg.errors import LinregError
from linreg.files import writing


@contextmanager
def work_folder(prefix: str) -> Iterator[Path]:
    """A temporary folder, which is gone afterwards, whatever ends the process."""
    with tempfile.TemporaryDirectory(prefix=prefix) as name:
        remove_if_killed(Path(name))
        yield Path(name)


def ensure_folder(path: Path, option: str = "-o") -> None:
    """See that files can be written in `path`, or that it can be made, before long work starts; nothing is made yet.

    Args:
        path: of the folder.
        option: with which it was named, for the message of an error.

    Raises:
        LinregError: it is a file, or cannot be written.
    """
    with writing(path):
        if path.exists() and not path.is_dir():
            raise LinregError(f"{path}: is a file, expected a folder; choose another with {option}")
        nearest = next(folder for folder in (path, *path.absolute().parents) if folder.exists())
        if not nearest.is_dir() or not os.access(nearest, os.W_OK | os.X_OK) or _read_only(nearest):
            raise LinregError(f"{path}: cannot be written; choose another folder with {option}")


def _read_only(folder: Path) -> bool:
    return bool(os.statvfs(folder).f_flag & os.ST_RDONLY)
