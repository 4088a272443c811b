"""Where a table is: a file here, or one that a URI names."""

import re
import stat
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.fs

from linreg.errors import DataError, one_line
from linreg.files import similar_file

URI = re.compile(r"[a-z][a-z0-9+.-]+://", re.IGNORECASE)


@dataclass(frozen=True, kw_only=True)
class Place:
    """A file with a table, or with a part of one.

    Attributes:
        name: what messages call it.
        path: path in the file system.
        size_bytes: its size.
        system: the file system; None for a file of this machine.
        contents: the bytes, if they are in memory.
    """

    name: str
    path: str
    size_bytes: int
    system: Any = None
    contents: bytes | None = field(default=None, repr=False)

    def open(self) -> pa.NativeFile:
        """Open the file for reading at any offset.

        Raises:
            DataError: it cannot be opened.
        """
        if self.contents is not None:
            return pa.BufferReader(self.contents)
        try:
            return pa.OSFile(self.path) if self.system is None else self.system.open_input_file(self.path)
        except (OSError, pa.ArrowException) as error:
            raise DataError(f"{self.name}: cannot be read: {one_line(error)}") from None

    def unpacked(self, contents: bytes) -> "Place":
        """Return the same place with the bytes of its file, unpacked."""
        return replace(self, contents=contents, size_bytes=len(contents))


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
        raise DataError(f"{path}: is not a regular file; copy its contents to one first")
    return Place(name=str(path), path=str(path), size_bytes=status.st_size)
