"""A single-writer lock for a bundle, released even if its process is killed.

The file `.linreg-lock` is locked with flock and removed when the work is done, by `linreg.watcher` if the command was
killed. Should the file stay, the lock does not, so the next command takes it over.
"""

import fcntl
import os
import stat
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from linreg.ending import signals_held
from linreg.errors import LinregError, ModelError
from linreg.files import writing
from linreg.watcher import unlocked_if_killed

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
    with writing(folder):
        missing = [place for place in (folder, *folder.parents) if not place.exists()]
    descriptor: int | None = None
    with unlocked_if_killed(path, missing):
        try:
            with writing(folder):
                folder.mkdir(parents=True, exist_ok=True)
            while descriptor is None:
                try:
                    with signals_held():
                        descriptor = _acquire(path)
                except _HeldError as held:
                    if not wait:
                        raise LinregError(
                            f"{folder}: {held} is writing there; wait for it to end, or add --wait"
                        ) from None
                    if on_wait is not None:
                        on_wait(str(held))
                        on_wait = None
                    time.sleep(POLL_S)
            with writing(path):
                os.truncate(descriptor, 0)
                os.pwrite(descriptor, f"{command} (process {os.getpid()})\n".encode(), 0)
            yield
        finally:
            with signals_held():
                _release(path, descriptor, missing)


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


def _release(path: Path, descriptor: int | None, made: Sequence[Path]) -> None:
    """Remove the lock file if `descriptor` locks it, and the folders that were made for it if they are empty."""
    if descriptor is not None:
        with suppress(OSError):
            path.unlink()
        os.close(descriptor)
    for place in made:
        with suppress(OSError):  # not empty: it holds what the command wrote
            place.rmdir()


class _HeldError(Exception):
    """Another command holds the lock; the message is its name."""


def _acquire(path: Path) -> int:
    """Lock the file at `path`, and return its descriptor.

    Raises:
        _HeldError: another command holds the lock.
    """
    while True:
        with writing(path):
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o666)
        try:
            status = os.fstat(descriptor)
            if not stat.S_ISREG(status.st_mode) or status.st_nlink > 1:  # it will be written to
                raise ModelError(f"{path}: is a pipe or a hard link, expected a regular file; remove it")
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if _is_at(path, descriptor):
                return descriptor
        except BlockingIOError:
            holder = _holder(descriptor)
            os.close(descriptor)
            raise _HeldError(holder) from None
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
