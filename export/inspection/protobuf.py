"""Read protobuf's wire format field by field, without a message in memory, and with a limit on their number.

The generated classes build every message of a file: two bytes of an empty one become a hundred. Here a message is the
places in the data where its parts stand; a message that stands there twice is merged, as protobuf does.
"""

from collections.abc import Iterator

Part = tuple[int, int]
"""First place and end, in the data."""

MAX_FIELDS = 1_000_000
BYTES_OF_A_FIELD = 10
"""A larger file may have more fields: one for so many bytes."""


class Reader:
    """The data, and how many fields may still be read.

    Raises (in every method):
        ValueError: this is no protobuf, or has more fields than `MAX_FIELDS`.
    """

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._limit = self._left = max(MAX_FIELDS, len(data) // BYTES_OF_A_FIELD)

    def fields(self, parts: list[Part]) -> Iterator[tuple[int, int | Part]]:
        """Number and value of every field: a number of a varint, the place of what has a length; others are skipped."""
        data = self._data
        for place, end in parts:
            while place < end:
                self._left -= 1
                if self._left < 0:
                    raise ValueError(f"it has more than {self._limit} fields, more than a model of its size")
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
        """Where a field stands that is a message or a text."""
        return [value for found, value in self.fields(parts) if found == number and isinstance(value, tuple)]

    def varints(self, part: Part) -> list[int]:
        """The numbers of a packed field."""
        place, end = part
        found = []
        while place < end:
            self._left -= 1
            if self._left < 0:
                raise ValueError(f"it has more than {self._limit} numbers, more than a model of its size")
            value, place = self._varint(place, end)
            found.append(value)
        return found

    def bytes(self, part: Part) -> bytes:
        """What stands there."""
        return self._data[part[0] : part[1]]

    def text(self, part: Part, limit: int) -> str:
        """At most `limit` characters and one more; what is no UTF-8 is shown by its numbers."""
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
    """The int64 or int32 that a varint stands for."""
    return value - 2**64 if value >= 2**63 else value
