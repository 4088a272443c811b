"""A file with a table, or with a part of one."""

import os
import stat
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.fs

from linreg.errors import DataError, one_line
from linreg.files import similar_file
from linreg.reading.pipe import Pipe


@dataclass(frozen=True, kw_only=True)
class Place:
    """A file with a table, or with a part of one.

    Attributes:
        name: what messages call it.
        path: path in the file system.
        size_bytes: its size; None for a pipe.
        modified_ns: when it was last written; None if that is not known.
        system: the file system; None for a file of this machine.
        tag: the ETag of the version that was found, of an object in a store that has such.
        contents: the bytes, if they are in memory.
        pipe: the pipe, if it is one.
    """

    name: str
    path: str
    size_bytes: int | None
    modified_ns: int | None = None
    system: Any = None
    tag: bytes | None = None
    contents: bytes | None = field(default=None, repr=False)
    pipe: Pipe | None = None

    @property
    def file(self) -> Path | None:
        """The file, if it is one of this machine; a pipe may be one too, as in `linreg predict - < table.csv`."""
        if self.pipe is not None:
            return Path("/dev/stdin")
        is_here = self.system is None or isinstance(self.system, pyarrow.fs.LocalFileSystem)
        return Path(self.path) if is_here else None

    def open(self) -> Any:
        """Open the file for reading at any offset.

        Raises:
            DataError: it cannot be opened, or was written since it was found: passes would read different numbers.
        """
        if self.pipe is not None:
            return self.pipe.open()
        if self.contents is not None:
            return pa.BufferReader(self.contents)
        if self.tag is None:
            self.check_unchanged()
        try:
            file = pa.OSFile(os.fsencode(self.path)) if self.system is None else self.system.open_input_file(self.path)
        except (OSError, pa.ArrowException) as error:
            raise self._unreadable(error) from None
        if self.tag is not None and tag_of(file) != self.tag:
            raise self._changed()
        return file

    def check_unchanged(self) -> None:
        """Check that the file was not written since it was found.

        Raises:
            DataError: it was, or it is gone.
        """
        if self.modified_ns is None or self.contents is not None:
            return
        if self.tag is not None:
            self.open().close()
            return
        try:
            now = self._status()
        except (OSError, pa.ArrowException) as error:
            raise self._unreadable(error) from None
        if now != (self.size_bytes, self.modified_ns):
            raise self._changed()

    def _unreadable(self, error: Exception) -> DataError:
        return DataError(f"{self.name}: cannot be read: {one_line(error)}")

    def _changed(self) -> DataError:
        return DataError(f"{self.name}: has changed since it was first read; start again once it is complete")

    def _status(self) -> tuple[int | None, int | None]:
        if self.system is None:
            status = Path(self.path).stat()
            return status.st_size, status.st_mtime_ns
        info = self.system.get_file_info(self.path)
        return info.size, info.mtime_ns

    def unpacked(self, contents: bytes) -> "Place":
        """Return the same place with the bytes of its file, unpacked."""
        return replace(self, contents=contents, size_bytes=len(contents))


def tag_of(file: Any) -> bytes | None:
    """Return the ETag of an open object, which tells its versions apart; times do not, as S3 has them in seconds."""
    tags = {key.lower(): value for key, value in file.metadata().items()}
    return tags.get("etag")


def place_of(path: Path) -> Place:
    """Find a file of this machine.

    Raises:
        DataError: it is missing, unreadable, or not a regular file.
    """
    try:
        status = path.stat()
    except FileNotFoundError:
        near = similar_file(path)
        hint = f"did you mean {near}?" if near else "check the name and the folder"
        raise DataError(f"{path}: no such file; {hint}") from None
    except OSError as error:
        raise DataError(f"{path}: cannot be read: {error.strerror or error}") from None
    if stat.S_ISDIR(status.st_mode):
        raise DataError(f"{path}: is a folder, expected a file")
    if not stat.S_ISREG(status.st_mode):
        raise DataError(
            f"{path}: is not a regular file; copy its contents to one, or read a CSV from a pipe: linreg COMMAND -"
        )
    return Place(name=str(path), path=str(path), size_bytes=status.st_size, modified_ns=status.st_mtime_ns)
