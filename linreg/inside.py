"""Access files inside a bundle; symbolic links below the bundle are never followed, neither to read nor to write.

A downloaded bundle may hold `SHA256SUMS -> ../../anything`. So every component below the bundle is opened separately
with O_NOFOLLOW. The path of the bundle itself comes from the user and may contain links.
"""

import errno
import hashlib
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path, PurePosixPath
from typing import BinaryIO

from linreg.errors import LinregError, ModelError
from linreg.files import check_fits

CHUNK_BYTES = 2**20
_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC


def read_inside(folder: Path, name: str, *, limit: int) -> bytes:
    """Read a regular file of at most `limit` bytes.

    Args:
        folder: the bundle.
        name: path relative to the bundle, with `/` between components.
        limit: largest size in bytes.

    Raises:
        ModelError: a component is a link, or the file is not a regular file.
        LinregError: the file is missing, unreadable or too large.
    """
    with _opened_file(folder, name, limit) as stream:
        check_fits(folder / name, os.fstat(stream.fileno()).st_size)
        data = stream.read()  # read(size) would allocate a buffer of that size first
    if len(data) > limit:  # it has grown since
        raise LinregError(f"{folder / name}: exceeds the limit of {limit} bytes")
    return data


def hashed_inside(folder: Path, name: str, *, limit: int) -> tuple[int, str]:
    """Return the size and the SHA-256 of a file that `read_inside` would read, without keeping it in memory.

    Raises:
        ModelError: a component is a link, or the file is not a regular file.
        LinregError: the file is missing, unreadable or too large.
    """
    size, digest = 0, hashlib.sha256()
    with _opened_file(folder, name, limit) as stream:
        while chunk := stream.read(CHUNK_BYTES):
            size += len(chunk)
            digest.update(chunk)
    return size, digest.hexdigest()


@contextmanager
def _opened_file(folder: Path, name: str, limit: int) -> Iterator[BinaryIO]:
    path = folder / name
    try:
        with _opened_parent(folder, name) as (parent, last):
            descriptor = os.open(last, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=parent)
            with os.fdopen(descriptor, "rb") as stream:
                status = os.fstat(descriptor)
                if not stat.S_ISREG(status.st_mode):
                    raise ModelError(f"{path}: is not a regular file; remove it, and export again")
                if status.st_size > limit:
                    raise LinregError(f"{path}: exceeds the limit of {limit} bytes")
                yield stream
    except FileNotFoundError:
        raise LinregError(f"{path}: no such file; check the name and the folder") from None
    except (OSError, ValueError) as error:
        raise LinregError(f"{path}: cannot be read: {_reason(error)}") from error


def file_inside(folder: Path, name: str) -> bool:
    """Return whether there is a regular file of this name.

    Raises:
        ModelError: a component is a link, or the path exists but is not a regular file.
        LinregError: the folder cannot be read.
    """
    path = folder / name
    try:
        with _opened_parent(folder, name) as (parent, last):
            mode = os.stat(last, dir_fd=parent, follow_symlinks=False).st_mode
    except FileNotFoundError:
        return False
    except (OSError, ValueError) as error:
        raise LinregError(f"{path}: cannot be read: {_reason(error)}") from error
    if stat.S_ISLNK(mode):
        raise ModelError(f"{path}: {LINK}")
    if not stat.S_ISREG(mode):
        raise ModelError(f"{path}: is not a regular file; move it away, or use another -o")
    return True


def make_parent(folder: Path, name: str) -> None:
    """Create the folders inside `folder` that `name` needs.

    Raises:
        ModelError: a component is a link, or a file.
        LinregError: a folder cannot be created.
    """
    parts = PurePosixPath(name).parts[:-1]
    try:
        for place in range(len(parts)):
            here = "/".join(parts[: place + 1])
            with _opened_parent(folder, here) as (parent, last):
                with suppress(FileExistsError):
                    os.mkdir(last, dir_fd=parent)
                os.close(_open_folder(last, parent, folder / here))
    except OSError as error:
        raise LinregError(f"{folder / name}: cannot be written: {_reason(error)}; choose another -o") from error


def vector_folders(folder: Path) -> list[str]:
    """Return the names of the test vector folders, in numerical order.

    Raises:
        ModelError: an entry with such a name is a link or a file.
    """
    return sorted(_matching(folder, "test_data_set_", folders=True), key=lambda name: (len(name), name))


def files_of(folder: Path, name: str) -> list[str]:
    """Return the names of the files in a folder inside `folder`, as `name/file`.

    Raises:
        ModelError: a component is a link, or an entry is not a regular file.
    """
    return [f"{name}/{entry}" for entry in _matching(folder / name, "", folders=False)]


LINK = "is a symbolic link, which is not allowed inside a bundle; replace it with the file itself"


def _matching(folder: Path, prefix: str, *, folders: bool) -> list[str]:
    names = []
    try:
        with os.scandir(folder) as entries:
            for entry in entries:
                if not entry.name.startswith(prefix):
                    continue
                if entry.is_symlink():
                    raise ModelError(f"{folder / entry.name}: {LINK}")
                if folders != entry.is_dir(follow_symlinks=False):
                    what = "a folder" if folders else "a file"
                    raise ModelError(f"{folder / entry.name}: expected {what}; move it away, and export again")
                names.append(entry.name)
    except FileNotFoundError:
        return []
    except OSError as error:
        raise LinregError(f"{folder}: cannot be read: {_reason(error)}") from error
    return sorted(names)


@contextmanager
def _opened_parent(folder: Path, name: str) -> Iterator[tuple[int, str]]:
    """Open the folder that holds `name`; yield its descriptor and the last component of `name`."""
    parts = PurePosixPath(name).parts
    if not parts or ".." in parts or name.startswith("/"):
        raise ModelError(f"{folder}: {name!r} is not a name inside it")
    descriptor = os.open(folder, _FOLDER)
    try:
        for place, part in enumerate(parts[:-1]):
            inner = _open_folder(part, descriptor, folder.joinpath(*parts[: place + 1]))
            os.close(descriptor)
            descriptor = inner
        if _is_link(parts[-1], descriptor):
            raise ModelError(f"{folder / name}: {LINK}")
        yield descriptor, parts[-1]
    finally:
        os.close(descriptor)


def _open_folder(name: str, parent: int, path: Path) -> int:
    try:
        return os.open(name, _FOLDER | os.O_NOFOLLOW, dir_fd=parent)
    except OSError as error:
        if error.errno in (errno.ELOOP, errno.ENOTDIR):
            what = LINK if _is_link(name, parent) else "expected a folder; move it away, and export again"
            raise ModelError(f"{path}: {what}") from None
        raise


def _is_link(name: str, parent: int) -> bool:
    try:
        return stat.S_ISLNK(os.stat(name, dir_fd=parent, follow_symlinks=False).st_mode)
    except FileNotFoundError:
        return False


def _reason(error: BaseException) -> str:
    text = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    return " ".join(text.split()) or type(error).__name__
