"""Read protobuf's wire format field by field, without building messages, up to a limit on the number of fields.

protobuf's generated classes build every message of a file, and an empty message grows from two bytes to a hundred. Here
a message is a list of byte ranges. If a message occurs twice, both ranges are read as one, as protobuf specifies.
"""

from collections.abc import Iterator

Part = tuple[int, int]
"""Start and end offset in the data."""

MAX_FIELDS = 1_000_000
BYTES_OF_A_FIELD = 10
"""Larger files may have more fields: one for each run of this many bytes."""


class Reader:
    """Reads fields from the data, up to a limit on their number.

    Raises (in every method):
        ValueError: the data is not protobuf, or has more fields than the limit.
    """

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._limit = self._left = max(MAX_FIELDS, len(data) // BYTES_OF_A_FIELD)

    def fields(self, parts: list[Part]) -> Iterator[tuple[int, int | Part]]:
        """Yield the number and value of each field: an int for a varint, a byte range for bytes. Skip other types."""
        data = self._data
        for place, end in parts:
            while place < end:
                self._left -= 1
                if self._left < 0:
                    raise ValueError(f"it has more than {self._limit} fields, too many for a model of its size")
                key = data[place]
                place += 1
                if key > 127:
                    key, place = self._varint(place - 1, end)
                wire = key & 7
                if wire == 0:
                    value, place = self._varint(place, end)
                    yield key >> 3, value
                    continue
                if wire == 2:
                    length, first = self._varint(place, end)
                    place = first + length
                elif wire in (1, 5):
                    first, place = place, place + (8 if wire == 1 else 4)
                else:
                    raise ValueError(f"a field of type {wire}")
                if place > end or key < 8:
                    raise ValueError("a field that is cut off")
                if wire == 2:
                    yield key >> 3, (first, place)

    def messages(self, parts: list[Part], number: int) -> list[Part]:
        """Return the byte range of each occurrence of a message or string field."""
        return [value for found, value in self.fields(parts) if found == number and isinstance(value, tuple)]

    def varints(self, part: Part) -> list[int]:
        """Return the values of a packed repeated field."""
        place, end = part
        found = []
        while place < end:
            self._left -= 1
            if self._left < 0:
                raise ValueError(f"it has more than {self._limit} numbers, too many for a model of its size")
            value, place = self._varint(place, end)
            found.append(value)
        return found

    def bytes(self, part: Part) -> bytes:
        """Return the bytes in a range."""
        return self._data[part[0] : part[1]]

    def text(self, part: Part, limit: int) -> str:
        """Decode at most `limit` + 1 characters; invalid UTF-8 is backslash-escaped."""
        first, end = part
        return self._data[first : min(end, first + 4 * limit)].decode(errors="backslashreplace")[: limit + 1]

    def _varint(self, place: int, end: int) -> tuple[int, int]:
        value = shift = 0
        while place < end and shift < 70:
            byte = self._data[place]
            place += 1
            value |= (byte & 127) << shift
            if byte < 128:
                return value & 0xFFFFFFFFFFFFFFFF, place
            shift += 7
        raise ValueError("a number that is cut off")


def signed(value: int) -> int:
    """Convert an unsigned varint to the int64 or int32 it encodes."""
    return value - 2**64 if value >= 2**63 else value
