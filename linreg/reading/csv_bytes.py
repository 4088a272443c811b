"""The bytes of a CSV: of a file, plain or compressed, or of a pipe."""

from dataclasses import dataclass

import pyarrow as pa

from linreg.errors import DataError, one_line
from linreg.reading.places import Place

HEAD_BYTES = 2**16

CODECS = (
    (b"\x1f\x8b", "gzip", "gzip"),
    (b"BZh", "bz2", "bzip2"),
    (b"\x28\xb5\x2f\xfd", "zstd", "Zstandard"),
    (b"\x04\x22\x4d\x18", "lz4", "LZ4"),
)
"""First bytes, the name that pyarrow gives to the codec, and the name for messages."""


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
        return self.codec is None

    @property
    def repeatable(self) -> bool:
        """Whether the file can be read again."""
        return True

    def open(self, offset: int = 0) -> "TextStream":
        """Open the text at an offset.

        Raises:
            DataError: the file cannot be opened.
        """
        raw = self.place.open()
        stream = TextStream(name=self.name, raw=raw, codec=self.codec)
        stream.skip(offset)
        return stream

    def head(self, size: int = HEAD_BYTES) -> bytes:
        """Return the first bytes of the text, at most `size`.

        Raises:
            DataError: they cannot be read.
        """
        stream = self.open()
        try:
            return stream.read(size)
        finally:
            stream.close()


class TextStream:
    """The text of a CSV, unpacked.

    Raises:
        DataError: by `read`, if the file is damaged.
    """

    def __init__(self, *, name: str, raw: pa.NativeFile, codec: str | None) -> None:
        self._name = name
        self._raw = raw
        self._codec = codec
        self._unpacked = raw if codec is None else pa.CompressedInputStream(raw, codec)
        self._told = 0

    def read(self, size: int) -> bytes:
        """Return the next `size` bytes, or less at the end."""
        try:
            data: bytes = self._unpacked.read(size)
        except pa.ArrowMemoryError:
            raise
        except (OSError, pa.ArrowException) as error:
            raise self._damaged(error) from None
        return data

    def skip(self, size: int) -> None:
        """Go on `size` bytes."""
        if self._codec is None:
            self._raw.seek(size)
            self._told = size
            return
        while size > 0 and (data := self.read(min(size, 2**22))):
            size -= len(data)

    def taken_bytes(self) -> int:
        """Return how many bytes of the file were read since the last call."""
        try:
            now = int(self._raw.tell())
        except (OSError, pa.ArrowException):
            return 0
        taken, self._told = now - self._told, now
        return taken

    def close(self) -> None:
        """Close the file."""
        self._raw.close()

    def _damaged(self, error: BaseException) -> DataError:
        if self._codec is None:
            return DataError(f"{self._name}: cannot be read: {one_line(error)}")
        called = next(name for _, codec, name in CODECS if codec == self._codec)
        what = "truncated" if "runcated" in str(error) else f"damaged: {one_line(error)}"
        return DataError(f"{self._name}: is {called}, but {what}; fetch the file again")
