"""The bytes of a CSV: of a file, plain or compressed, or of a pipe."""

import bz2
import gzip
import io
import zlib
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from linreg.errors import DataError, one_line
from linreg.memory import available_bytes, in_words
from linreg.reading.place import Place

HEAD_BYTES = 2**16

CODECS = (
    (b"\x1f\x8b", "gzip", "gzip"),
    (b"BZh", "bz2", "bzip2"),
    (b"\x28\xb5\x2f\xfd", "zstd", "Zstandard"),
    (b"\x04\x22\x4d\x18", "lz4", "LZ4"),
)
"""First bytes, the name that pyarrow gives to the codec, and the name for messages."""
NAMES = {codec: name for _, codec, name in CODECS}


def codec_of(start: bytes) -> str | None:
    """Return how a file is compressed by its first bytes; None if it is not, or in a way that cannot be read."""
    found = next((codec for first, codec, _ in CODECS if start.startswith(first)), None)
    # A column name could begin with BZh, so more must match.
    return None if found == "bz2" and start[4:10] != b"1AY&SY" else found


@dataclass(frozen=True, kw_only=True)
class CsvBytes:
    """Where the text of a CSV comes from.

    Attributes:
        place: the file.
        codec: how it is compressed; None if it is not.
    """

    place: Place
    codec: str | None = None

    @property
    def name(self) -> str:
        """What messages call it."""
        return self.place.name

    @property
    def size_bytes(self) -> int | None:
        """Size of the file."""
        return self.place.size_bytes

    @property
    def seekable(self) -> bool:
        """Whether reading can begin anywhere."""
        return self.codec is None and self.place.pipe is None

    @property
    def repeatable(self) -> bool:
        """Whether the file can be read again."""
        return self.place.pipe is None

    def open(self, offset: int = 0) -> "TextStream":
        """Open the text at an offset.

        Raises:
            DataError: the file cannot be opened.
        """
        raw = self.place.open()
        stream = TextStream(name=self.name, raw=raw, codec=self.codec)
        stream.skip(offset)
        return stream

    def whole(self) -> bytes:
        """Return all bytes, unpacked.

        Raises:
            DataError: the file is damaged, or is larger than the available memory.
        """
        there = available_bytes()
        data = io.BytesIO()
        stream = self.open()
        try:
            while chunk := stream.read(2**24):
                data.write(chunk)
                if there is not None and data.tell() > there:
                    raise DataError(
                        f"{self.name}: its unpacked size exceeds {there} bytes, the available memory "
                        f"({in_words(there)}); unpack it first"
                    )
        finally:
            stream.close()
        return data.getvalue()

    def head(self, size: int = HEAD_BYTES) -> bytes:
        """Return the first bytes of the text, at most `size`.

        Raises:
            DataError: they cannot be read.
        """
        stream = self.open()
        head = b""
        try:
            while len(head) < size and (data := stream.read(size - len(head))):
                head += data
        finally:
            stream.close()
        return head


class TextStream:
    """The text of a CSV, unpacked."""

    def __init__(self, *, name: str, raw: pa.NativeFile, codec: str | None) -> None:
        self._name = name
        self._raw = raw
        self._codec = codec
        self._unpacked = _unpacked(raw, codec)
        self._told = 0

    def read(self, size: int) -> bytes:
        """Return the next bytes: `size` of them, or fewer, and none only at the end.

        Raises:
            DataError: the file is damaged.
        """
        try:
            data: bytes = self._unpacked.read(size)
        except pa.ArrowMemoryError:
            raise
        except (OSError, EOFError, zlib.error, pa.ArrowException) as error:
            raise self._damaged(error) from None
        return data

    def skip(self, size: int) -> None:
        """Skip `size` bytes of the text."""
        if self._codec is None:
            self._raw.seek(size)
            self._told = size
            return
        while size > 0 and (data := self.read(min(size, 2**22))):
            size -= len(data)

    def taken_bytes(self) -> int:
        """Return how many bytes of the file were read since the last call."""
        now = int(self._raw.tell())
        taken, self._told = now - self._told, now
        return taken

    def close(self) -> None:
        """Close the file."""
        self._raw.close()

    def _damaged(self, error: BaseException) -> DataError:
        if self._codec is None:
            return DataError(f"{self._name}: cannot be read: {one_line(error)}")
        cut = isinstance(error, EOFError) or "runcated" in str(error)
        what = "truncated" if cut else f"damaged: {one_line(error)}"
        return DataError(f"{self._name}: is {NAMES[self._codec]}, but {what}; fetch the file again")


def _unpacked(raw: pa.NativeFile, codec: str | None) -> Any:
    if codec is None:
        return raw
    if codec == "gzip":
        return gzip.GzipFile(fileobj=raw)  # unlike Arrow's, it allows for padding after the last member
    return bz2.BZ2File(raw) if codec == "bz2" else pa.CompressedInputStream(raw, codec)
