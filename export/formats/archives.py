"""torch's archives (TorchScript, .pt2), written again record by record through torch's own writer."""

import io
from collections.abc import Callable

import torch

VERSIONS = ("version", ".data/version")
"""Where the version stands: in the first below 6, in the second from there on."""

WRITTEN_BY_THE_WRITER = frozenset({*VERSIONS, "byteorder", ".data/serialization_id"})


def record_names(archive: bytes) -> list[str]:
    """The records of an archive."""
    names: list[str] = torch._C.PyTorchFileReader(io.BytesIO(archive)).get_all_records()
    return names


def rewrite(archive: bytes, change: Callable[[str, bytes], tuple[str, bytes] | None]) -> bytes:
    """The same archive with each record as `change(name, record)` gives its name and bytes; None leaves it out.

    The records are written in the order of their names. The version stays what torch wrote: it says by which rules the
    operators are read, and below 4 a division of whole numbers truncates.
    """
    reader = torch._C.PyTorchFileReader(io.BytesIO(archive))
    kept = [name for name in reader.get_all_records() if name not in WRITTEN_BY_THE_WRITER]
    changed = [pair for name in kept if (pair := change(name, reader.get_record(name))) is not None]
    buffer = io.BytesIO()
    writer = torch._C.PyTorchFileWriter(buffer)
    version = next(name for name in reader.get_all_records() if name in VERSIONS)
    writer.set_min_version(int(reader.get_record(version)))
    for name, record in sorted(changed):
        writer.write_record(name, record, len(record))
    writer.write_end_of_file()
    return buffer.getvalue()
