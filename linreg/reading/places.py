"""Where a table is: a file here, or one that a URI names."""

import re
import stat
from dataclasses import dataclass
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
    """

    name: str
    path: str
    size_bytes: int
    system: Any = None

    def open(self) -> pa.NativeFile:
        """Open the file for reading at any offset.

        Raises:
            DataError: it cannot be opened.
        """
        try:
            return pa.OSFile(self.path) if self.system is None else self.system.open_input_file(self.path)
        except (OSError, pa.ArrowException) as error:
            raise DataError(f"{self.name}: cannot be read: {one_line(error)}") from None


def place_of(path: Path) -> Place:
    """Find a file of this machine.

    Raises:
        DataError: it is missing, unreadable, or not a regular file.
    """
    try:
        status = path.stat()
    except FileNotFoundError:
        near = similar_file(path)
        hint = f"; did you mean {near}?" if near else ""
        raise DataError(f"{path}: no such file{hint}") from None
    except OSError as error:
        raise DataError(f"{path}: cannot be read: {error.strerror or error}") from None
    if not stat.S_ISREG(status.st_mode):
        raise DataError(f"{path}: is not a regular file; copy its contents to one first")
    return Place(name=str(path), path=str(path), size_bytes=status.st_size)
