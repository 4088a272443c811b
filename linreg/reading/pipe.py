"""A pipe, whose first bytes can be read again."""

from typing import BinaryIO

import pyarrow as pa

from linreg.errors import DataError

REPLAYED_BYTES = 2**24
"""As many bytes are kept, so that the columns can be chosen before the table is read."""


class Pipe:
    """Bytes that come only once."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self._start = b""
        self._open = True

    def open(self) -> pa.PythonFile:
        """Return the bytes from the first one on.

        Raises:
            DataError: more than `REPLAYED_BYTES` were read before.
        """
        if not self._open:
            raise DataError("-: a pipe can be read only once; save the table to a file first")
        return pa.PythonFile(_Reader(self), mode="r")

    def read(self, at: int, size: int) -> bytes:
        """Return the bytes at a place that is either kept or next."""
        if at < len(self._start):
            return self._start[at : at + size]
        data = self._stream.read(size)
        if self._open and len(self._start) + len(data) > REPLAYED_BYTES:
            self._open, self._start = False, b""
        if self._open:
            self._start += data
        return data


class _Reader:
    """The bytes of a pipe as a file for pyarrow."""

    closed = False

    def __init__(self, pipe: Pipe) -> None:
        self._pipe = pipe
        self._at = 0

    def read(self, size: int) -> bytes:
        data = self._pipe.read(self._at, size)
        self._at += len(data)
        return data

    def seek(self, at: int, _whence: int = 0) -> int:
        """Move to a place that is kept or has not come yet."""
        while self._at < at and self.read(at - self._at):
            pass
        return self._at

    def readable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._at

    def close(self) -> None:
        """Leave the pipe open."""
