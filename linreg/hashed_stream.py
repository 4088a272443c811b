"""A stream to write to, which hashes what passes."""

import hashlib
from typing import Any, BinaryIO


class HashedStream:
    """A stream to write to, which hashes and counts what was written.

    Attributes:
        size: the number of bytes so far.
        closed: whether it is closed, which it never is; pyarrow asks.
    """

    closed = False

    def __init__(self, stream: BinaryIO | None) -> None:
        """Write to `stream`; None only hashes and counts."""
        self._stream, self._digest = stream, hashlib.sha256()
        self.size = 0

    def write(self, data: Any) -> int:
        """Write an object that has a buffer; return its number of bytes."""
        if self._stream is not None:
            self._stream.write(data)
        self._digest.update(data)
        length = memoryview(data).nbytes
        self.size += length
        return length

    def flush(self) -> None:
        """Flush the stream."""
        if self._stream is not None:
            self._stream.flush()

    @property
    def sha256(self) -> str:
        """The SHA-256 of all bytes so far, in lower-case hexadecimal."""
        return self._digest.hexdigest()
