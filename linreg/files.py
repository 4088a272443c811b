"""Atomic file writing; every file that linreg writes goes through here.

Data are written to a temporary file in the target's folder; that file is then synced and renamed. So an interrupted
command leaves the old file or none, a full disk is an ordinary error, and a reader never sees a half-written file.
"""

import hashlib
import os
import secrets
import stat
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from difflib import get_close_matches
from pathlib import Path
from typing import Any, BinaryIO

from linreg.errors import LinregError
from linreg.hashed_stream import HashedStream
from linreg.local_paths import check_local
from linreg.memory import available_bytes, in_words
from linreg.watcher import remove_if_killed

STALE_AFTER_S = 3600.0

Contents = bytes | Callable[[BinaryIO], None]
"""The contents of a file: bytes, or a function that writes them to a stream, so that they need no copy in memory."""

ALWAYS_FITS_BYTES = 2**28
"""Whether a smaller file fits into memory is not checked."""


def sha256(data: bytes) -> str:
    """Return the SHA-256 of `data` in lower-case hexadecimal."""
    return hashlib.sha256(data).hexdigest()


def read_bytes(path: Path, *, limit: int) -> bytes:
    """Read a regular file of at most `limit` bytes.

    Raises:
        LinregError: the file is missing, not a regular file, unreadable or too large.
    """
    try:
        status = path.stat()
        if stat.S_ISDIR(status.st_mode):
            raise LinregError(f"{path}: is a folder, expected a file")
        if not stat.S_ISREG(status.st_mode):
            raise LinregError(f"{path}: is not a regular file; copy its contents to one first")
        if status.st_size > limit:
            raise LinregError(f"{path}: has {status.st_size} bytes, expected at most {limit}")
        check_fits(path, status.st_size)
        data = path.read_bytes()
        if len(data) > limit:  # it has grown since, or is of a kind that reports no size
            raise LinregError(f"{path}: has {len(data)} bytes, expected at most {limit}")
        return data
    except FileNotFoundError:
        near = similar_file(path)
        hint = f"did you mean {near}?" if near else "check the name and the folder"
        raise LinregError(f"{path}: no such file; {hint}") from None
    except (OSError, ValueError) as error:
        raise LinregError(f"{path}: cannot be read: {reason(error)}") from error


def check_fits(path: Path, size: int) -> None:
    """Check that a file fits into memory, before it is read.

    Raises:
        LinregError: less memory than `size` bytes is available.
    """
    if size > ALWAYS_FITS_BYTES and (there := available_bytes()) is not None and size > there:
        raise LinregError(
            f"{path}: has {in_words(size)}, and {in_words(there)} of memory are available; close other programs"
        )


def similar_file(path: Path) -> Path | None:
    """Return the file that a missing one was probably meant to be, or None.

    It is the file in the same folder that has the same suffix and the most similar name.
    """
    try:
        beside = [entry.name for entry in path.parent.iterdir() if entry.suffix == path.suffix and entry.is_file()]
    except OSError:
        return None
    near = get_close_matches(path.name, beside, n=1)
    return path.parent / near[0] if near else None


def write_atomic(path: Path, data: Contents) -> None:
    """Write `data` atomically: `path` always holds either the complete old contents or the complete new ones.

    Missing parent folders are created. The mode of an existing file is kept.

    Raises:
        LinregError: the target is a symbolic link or not a regular file, or the folder is not writable.
    """
    with staged(path, data):
        pass


@contextmanager
def staged(path: Path, data: Contents) -> Iterator[Path]:
    """Write `data` to a temporary file beside `path`, yield it for inspection, and then rename it.

    If an error is raised, the file is not renamed.

    Raises:
        LinregError: the target is not a regular file, or the folder is not writable.
    """
    with writing(path):
        mode = _mode_of(path)
        path.parent.mkdir(parents=True, exist_ok=True)
        _sweep(path.parent)
    # The name is known before the file exists: a signal in between leaves nothing.
    temporary = path.parent / f".{secrets.token_hex(8)}.linreg-tmp"
    remove_if_killed(temporary)
    try:
        with writing(path), os.fdopen(_created(temporary, 0o600), "wb") as stream:
            write_contents(stream, data)
            stream.flush()
            os.fchmod(stream.fileno(), mode)
            os.fsync(stream.fileno())
        yield temporary
        with writing(path):
            temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    sync_folder(path.parent)


def write_new(path: Path, data: Contents, *, target: Path) -> tuple[int, str]:
    """Create and sync a new file in an existing folder.

    This is not atomic, so use it only for files that no reader looks for yet.

    Args:
        path: path of the file.
        data: its contents.
        target: what it will be renamed to, for messages.

    Returns:
        The size and the SHA-256 of what was written.

    Raises:
        LinregError: the file exists, or cannot be written.
    """
    with writing(target), os.fdopen(_created(path, 0o666), "wb") as stream:
        hashed = HashedStream(stream)
        write_contents(hashed, data)
        stream.flush()
        os.fsync(stream.fileno())
    return hashed.size, hashed.sha256


def _created(path: Path, mode: int) -> int:
    """Create a file that does not exist, and return its descriptor."""
    return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, mode)


def write_contents(stream: Any, data: Contents) -> None:
    """Write the contents of a file to a stream."""
    if callable(data):
        data(stream)
    else:
        stream.write(data)


@contextmanager
def writing(path: Path, hint: str = "choose another folder with -o") -> Iterator[None]:
    """Turn system errors while writing `path` into LinregError.

    Raises:
        LinregError: `path` cannot be written, or is a URI.
    """
    check_local(path)
    try:
        yield
    except (OSError, ValueError) as error:
        raise LinregError(f"{path}: cannot be written: {reason(error)}; {hint}") from error


def append_line(path: Path, line: str, *, hint: str) -> None:
    """Append a line to a file of the current user, creating file and folders if needed.

    Args:
        path: path of the file.
        line: the line, without line end.
        hint: what to do if the file cannot be written, for the error message.

    Raises:
        LinregError: the file cannot be written.
    """
    with writing(path, hint):
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        try:
            os.write(descriptor, f"{line}\n".encode())  # a single write, so that concurrent lines do not mix
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def _mode_of(target: Path) -> int:
    try:
        status = target.lstat()
    except FileNotFoundError:
        mask = os.umask(0)
        os.umask(mask)
        return 0o666 & ~mask
    if stat.S_ISLNK(status.st_mode):
        raise LinregError(f"{target}: is a symbolic link, which is not followed; name the file itself")
    if not stat.S_ISREG(status.st_mode):
        raise LinregError(f"{target}: is not a regular file; choose another name")
    return stat.S_IMODE(status.st_mode)


def _sweep(folder: Path) -> None:
    """Remove temporary files that killed processes left; skip those that this user may not remove."""
    for stale in folder.glob(".*.linreg-tmp"):
        with suppress(OSError):
            if time.time() - stale.lstat().st_mtime > STALE_AFTER_S:
                stale.unlink()


def sync_folder(folder: Path) -> None:
    """Sync a rename, if the folder allows it. A failure is no error, since the new file is already in place."""
    with suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def reason(error: BaseException) -> str:
    """Return why an operation failed, on one line."""
    text = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    return " ".join(text.split()) or type(error).__name__
