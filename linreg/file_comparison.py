"""Compare a file with what would be written to it."""

from contextlib import suppress
from pathlib import Path
from typing import Any, BinaryIO

from linreg.errors import LinregError
from linreg.files import Contents, reason, write_contents


def holds(path: Path, data: Contents) -> bool:
    """Return whether a regular file holds exactly `data`, which is compared while it is made, and written nowhere.

    The first difference ends the comparison.

    Raises:
        LinregError: the file cannot be read.
    """
    try:
        with path.open("rb") as stream:
            compared = ComparedStream(stream)
            with suppress(_DiffersError):
                write_contents(compared, data)
                return not stream.read(1)
    except (OSError, ValueError) as error:
        raise LinregError(f"{path}: cannot be read: {reason(error)}") from error
    return False


class _DiffersError(Exception):
    """Ends the writing to a `ComparedStream`."""


class ComparedStream:
    """A stream to write to, which compares what is written with a file.

    Attributes:
        closed: whether it is closed, which it never is; pyarrow asks.
    """

    closed = False

    def __init__(self, file: BinaryIO) -> None:
        """Compare with the bytes of `file`, from where it stands."""
        self._file = file

    def write(self, data: Any) -> int:
        """Compare an object that has a buffer; return its number of bytes.

        Raises:
            _DiffersError: the file has other bytes there.
        """
        length = memoryview(data).nbytes
        if self._file.read(length) != data:
            raise _DiffersError
        return length

    def flush(self) -> None:
        """Do nothing."""
