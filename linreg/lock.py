"""A single-writer lock for a bundle, released even if its process is killed.

The file `.linreg-lock` is locked with flock and removed when the work is done. A killed process leaves the file but not
the lock, so the next command takes it over.
"""

import fcntl
import os
import stat
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from linreg.errors import LinregError, ModelError
from linreg.files import writing

LOCK_FILE = ".linreg-lock"
LONGEST_HOLDER = 200
POLL_S = 0.05


@contextmanager
def locked(
    folder: Path, *, command: str, wait: bool = False, on_wait: Callable[[str], None] | None = None
) -> Iterator[None]:
    """Hold the lock of a folder, which is created if needed.

    A folder that was created here and is empty at the end is removed again.

    Args:
        folder: a bundle.
        command: name that other commands show while this one holds the lock.
        wait: wait until the lock is free instead of raising an error.
        on_wait: called once, with the name of the holder, before waiting.

    Raises:
        LinregError: another command holds the lock, or the folder is not writable.
        ModelError: the lock file is not a regular file, or has another hard link.
    """
    path = folder / LOCK_FILE
    made = _make_folders(folder)
    try:
        descriptor = _acquire(path, wait=wait, on_wait=on_wait)
        try:
            with writing(path):
                os.truncate(descriptor, 0)
                os.pwrite(descriptor, f"{command} (process {os.getpid()})\n".encode(), 0)
            yield
        finally:
            with suppress(OSError):
                path.unlink()
            os.close(descriptor)
    finally:
        for place in made:
            with suppress(OSError):  # not empty: it holds what the command wrote
                place.rmdir()


def wait_until_free(folder: Path, *, limit_s: float) -> None:
    """Wait until no command holds the lock of a folder, but at most `limit_s` seconds; write nothing."""
    end = time.monotonic() + limit_s
    while time.monotonic() < end and _is_held(folder / LOCK_FILE):
        time.sleep(POLL_S)


def _is_held(path: Path) -> bool:
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except OSError:
        return True
    finally:
        os.close(descriptor)
    return False


def _make_folders(folder: Path) -> list[Path]:
    """Create a folder and its missing parents; return the folders that were created, the innermost first."""
    with writing(folder):
        missing = [place for place in (folder, *folder.parents) if not place.exists()]
        folder.mkdir(parents=True, exist_ok=True)
    return missing


def _acquire(path: Path, *, wait: bool, on_wait: Callable[[str], None] | None) -> int:
    """Lock the file at `path`, and return its descriptor."""
    reported = False
    while True:
        with writing(path):
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o666)
        try:
            status = os.fstat(descriptor)
            if not stat.S_ISREG(status.st_mode) or status.st_nlink > 1:  # it will be written to
                raise ModelError(f"{path}: is a pipe or a hard link, expected a regular file; remove it")
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                holder = _holder(descriptor)
                if not wait:
                    raise LinregError(
                        f"{path.parent}: {holder} is writing there; wait for it to end, or add --wait"
                    ) from None
                if not reported and on_wait is not None:
                    on_wait(holder)
                reported = True
                time.sleep(POLL_S)
            else:
                if _is_at(path, descriptor):
                    return descriptor
        except OSError as error:  # a file system that does not support locks
            os.close(descriptor)
            raise LinregError(f"{path}: cannot be locked: {error.strerror}; use a local folder, with -o") from error
        except BaseException:
            os.close(descriptor)
            raise
        os.close(descriptor)  # its holder has removed it in the meantime: lock the next one


def _is_at(path: Path, descriptor: int) -> bool:
    try:
        return os.path.samestat(path.lstat(), os.fstat(descriptor))
    except FileNotFoundError:
        return False


def _holder(descriptor: int) -> str:
    text = os.pread(descriptor, LONGEST_HOLDER, 0).decode(errors="replace").strip()
    return text.splitlines()[0] if text else "another linreg command"
