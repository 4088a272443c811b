"""Temporary folders, and a check that a folder is writable."""

import os
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from linreg.ending import signals_held
from linreg.errors import LinregError
from linreg.files import writing
from linreg.watcher import remove_if_killed


@contextmanager
def work_folder(prefix: str) -> Iterator[Path]:
    """Create a temporary folder that is removed afterwards, however the process ends."""
    with ExitStack() as cleanup:
        with signals_held():
            path = Path(cleanup.enter_context(tempfile.TemporaryDirectory(prefix=prefix)))
            remove_if_killed(path)
        yield path


def ensure_folder(path: Path, option: str = "-o") -> None:
    """Check, before long work starts, that `path` is writable or can be created; nothing is created yet.

    Args:
        path: path of the folder.
        option: option that named the folder, for the error message.

    Raises:
        LinregError: `path` is a file, or is not writable.
    """
    with writing(path):
        if path.exists() and not path.is_dir():
            raise LinregError(f"{path}: is a file, expected a folder; choose another with {option}")
        nearest = next(folder for folder in (path, *path.absolute().parents) if folder.exists())
        if not nearest.is_dir() or not os.access(nearest, os.W_OK | os.X_OK) or _read_only(nearest):
            raise LinregError(f"{path}: cannot be written; choose another folder with {option}")


def _read_only(folder: Path) -> bool:
    return bool(os.statvfs(folder).f_flag & os.ST_RDONLY)
