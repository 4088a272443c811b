"""Read torch's zip archives (.pth, TorchScript, .pt2) strictly, so that torch loads exactly what was checked.

Zip archives can be ambiguous: given a prefix, a gap, a second central directory, or a local header that contradicts the
central directory, two programs can see different records. This reader accepts only the form that torch writes: entries
that follow each other without gaps from the first byte on, then the central directory, then the end record, and nothing
else.
"""

import struct
import zlib
from dataclasses import dataclass

from linreg.errors import ModelError

LOCAL = struct.Struct("<4s5H3I2H")
CENTRAL = struct.Struct("<4s6H3I5H2I")
DESCRIPTOR = struct.Struct("<4s3I")
END = struct.Struct("<4s4H2IH")
END_64 = struct.Struct("<4sQ2H2I4Q")
LOCATOR_64 = struct.Struct("<4sIQI")

STORED, DEFLATED = 0, 8
DESCRIPTOR_FLAG, UTF8_FLAG = 0x8, 0x800
FOLDER_ATTRIBUTE = 0x10

MAX_ENTRIES = 65_534
"""With more entries, or above 4 GB, the 32-bit end record overflows."""

MAX_PICKLE_BYTES = 2**25
"""Limit on `data.pkl`: each of its bytes may become an object of 64, and as many entries as fit take half of it."""

MAX_UNPACKED_BYTES = 64 * 2**20
"""Limit on the unpacked size of the source code, which torch.jit.save compresses."""


@dataclass(frozen=True, kw_only=True)
class _Entry:
    """An entry of the central directory.

    Attributes:
        name: the name as stored, still encoded.
        shared: the fields that the local header repeats (version needed, flags, method, time and date).
        crc: CRC-32 of the record.
        packed: compressed size in bytes.
        size: uncompressed size in bytes.
        offset: offset of the local header.
    """

    name: bytes
    shared: tuple[int, int, int, int, int]
    crc: int
    packed: int
    size: int
    offset: int

    @property
    def sums(self) -> tuple[int, int, int]:
        """The fields that the local header or the data descriptor repeats: CRC-32 and both sizes."""
        return self.crc, self.packed, self.size


def is_archive(data: bytes) -> bool:
    """Return whether the data starts like a zip archive."""
    return data[:4] == b"PK\x03\x04"


def read_archive(name: str, data: bytes) -> dict[str, memoryview]:
    """Read the records of an archive; return them by name, without their common top folder.

    Args:
        name: name of the file, used in messages.
        data: bytes of the file; uncompressed records are returned as views of them.

    Raises:
        ModelError: the archive is damaged, or not in the form that torch writes.
    """
    try:
        return _read(memoryview(data))
    except _NotCanonicalError as error:
        raise ModelError(f"{name}: {error}") from None


class _NotCanonicalError(Exception):
    """An archive that is damaged, or not in the form that torch writes."""


def _read(data: memoryview) -> dict[str, memoryview]:
    if not is_archive(bytes(data[:4])):
        raise _NotCanonicalError("is not an archive of torch, or is cut off")
    start, count, end = _directory(data)
    records: dict[str, memoryview] = {}
    top, names, position, unpacked = None, set[bytes](), 0, 0
    for entry in _entries(data, start, count, end):
        folder, text = _checked_name(entry.name)
        # torch looks records up without regard to case.
        if entry.name.lower() in names:
            raise _NotCanonicalError("its archive has compressed or repeated entries, which torch.save never writes")
        names.add(entry.name.lower())
        if top not in (None, folder):
            raise _NotCanonicalError("its records are in several folders, expected one")
        top = folder
        content, position = _content(data, entry, position, start)
        if entry.shared[2] == DEFLATED:
            unpacked += entry.size
            content = _unpacked(content, entry, text, unpacked)
        if zlib.crc32(content) != entry.crc:
            raise _NotCanonicalError(
                f"is damaged: the checksum of {entry.name.decode()[:80]!r} is wrong; restore it from a copy"
            )
        records[text] = content
    if position != start:
        raise _odd("bytes before its central directory that belong to no record")
    return records


def _directory(data: memoryview) -> tuple[int, int, int]:
    """Return the start of the central directory, the number of its entries, and its end."""
    end = len(data) - END.size
    if end < 0 or bytes(data[end : end + 4]) != b"PK\x05\x06":
        raise _NotCanonicalError("is cut off, or has bytes after its archive; restore it from a copy")
    _, disk, first_disk, on_disk, count, size, start, comment = END.unpack_from(data, end)
    if (disk, first_disk, comment) != (0, 0, 0) or on_disk != count or count > MAX_ENTRIES:
        raise _odd("an end record with a comment, of several disks or of too many entries")
    locator = end - LOCATOR_64.size
    # torch always writes a zip64 end record too, which must agree.
    if locator >= 0 and bytes(data[locator : locator + 4]) == b"PK\x06\x07":
        end = locator - END_64.size
        if end < 0 or LOCATOR_64.unpack_from(data, locator)[1:] != (0, end, 1):
            raise _odd("a zip64 record that is not where it says")
        sign, length, _, _, *numbers = END_64.unpack_from(data, end)
        if (sign, length, *numbers) != (b"PK\x06\x06", END_64.size - 12, 0, 0, count, count, size, start):
            raise _odd("a zip64 record that differs from the end record, or is larger than 4 GB")
    if count == 0 or start + size != end:
        raise _odd("a central directory that is not at the offset in its end record")
    return start, count, end


def _entries(data: memoryview, position: int, count: int, end: int) -> list[_Entry]:
    entries = []
    for _ in range(count):
        if position + CENTRAL.size > end:
            raise _odd("fewer entries than its end record says")
        (sign, _, *shared, crc, packed, size, name_length, extra, comment, disk, _, attributes, offset) = (
            CENTRAL.unpack_from(data, position)
        )
        if sign != b"PK\x01\x02" or (extra, comment, disk) != (0, 0, 0) or attributes & FOLDER_ATTRIBUTE:
            raise _odd("an entry with a comment or extra fields, or a folder")
        if shared[1] & ~(DESCRIPTOR_FLAG | UTF8_FLAG) or shared[2] not in (STORED, DEFLATED):
            raise _odd("an encrypted entry, or an unknown compression")
        position += CENTRAL.size
        name = bytes(data[position : position + name_length])
        position += name_length
        if not name.isascii() and not shared[1] & UTF8_FLAG:
            raise _odd("a name that is not in UTF-8")
        version, flags, method, time, date = shared
        entries.append(
            _Entry(
                name=name,
                shared=(version, flags, method, time, date),
                crc=crc,
                packed=packed,
                size=size,
                offset=offset,
            )
        )
    if position != end:
        raise _odd("more in its central directory than its end record says")
    return entries


def _checked_name(name: bytes) -> tuple[str, str]:
    """Split a name into the top folder and the record's name inside it."""
    try:
        text = name.decode()
    except UnicodeDecodeError:
        raise _odd("a name that is not in UTF-8") from None
    parts = text.split("/")
    if len(parts) < 2 or any(part in ("", ".", "..") for part in parts) or "\\" in text or "\0" in text:
        raise _odd(f"an entry {text[:80]!r}, expected a record in one folder")
    return parts[0], "/".join(parts[1:])


def _content(data: memoryview, entry: _Entry, position: int, limit: int) -> tuple[memoryview, int]:
    """Return the stored bytes of an entry, and the offset where the next one must begin."""
    if entry.offset != position or position + LOCAL.size > limit:
        raise _odd(f"a gap or an overlap before {entry.name.decode()[:80]!r}")
    sign, *fields = LOCAL.unpack_from(data, position)
    shared, sums, (name_length, extra_length) = tuple(fields[:5]), tuple(fields[5:8]), fields[8:]
    position += LOCAL.size
    name = bytes(data[position : position + name_length])
    extra = bytes(data[position + name_length : position + name_length + extra_length])
    described = bool(shared[1] & DESCRIPTOR_FLAG)
    same_sums = sums == entry.sums or (described and sums == (0, 0, 0))
    if (sign, name, shared) != (b"PK\x03\x04", entry.name, entry.shared) or not same_sums or not _is_padding(extra):
        raise _odd(f"a local header of {entry.name.decode()[:80]!r} that contradicts its central directory")
    position += name_length + extra_length
    content = data[position : position + entry.packed]
    position += entry.packed
    if described:
        if position + DESCRIPTOR.size > limit:
            raise _odd("an entry that reaches into its central directory")
        if DESCRIPTOR.unpack_from(data, position) != (b"PK\x07\x08", *entry.sums):
            raise _odd(f"a data descriptor of {entry.name.decode()[:80]!r} that contradicts its central directory")
        position += DESCRIPTOR.size
    if position > limit:
        raise _odd("an entry that reaches into its central directory")
    if entry.shared[2] == STORED and entry.packed != entry.size:
        raise _odd(f"two different sizes for the uncompressed entry {entry.name.decode()[:80]!r}")
    return content, position


def _is_padding(extra: bytes) -> bool:
    """Return whether an extra field is empty, or the padding that torch writes to align a record."""
    filled = len(extra) - 4
    return not extra or (filled >= 0 and extra == b"FB" + struct.pack("<H", filled) + b"Z" * filled)


def _unpacked(packed: memoryview, entry: _Entry, name: str, total: int) -> memoryview:
    """Decompress source code that torch.jit.save wrote, and refuse any other compressed entry."""
    if not name.startswith("code/"):
        raise _NotCanonicalError("its archive has compressed or repeated entries, which torch.save never writes")
    if total > MAX_UNPACKED_BYTES:
        raise _NotCanonicalError(f"its code unpacks to more than {MAX_UNPACKED_BYTES} bytes")
    stream = zlib.decompressobj(-zlib.MAX_WBITS)
    try:
        content = stream.decompress(packed, entry.size + 1)
    except zlib.error:
        content = b""
    if len(content) != entry.size or not stream.eof or stream.unused_data:
        raise _NotCanonicalError(f"is damaged: {entry.name.decode()[:80]!r} cannot be unpacked; restore it from a copy")
    return memoryview(content)


def _odd(what: str) -> _NotCanonicalError:
    return _NotCanonicalError(
        f"its archive has {what}: other programs could read different records; save it again with torch"
    )
