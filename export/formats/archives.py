"""Rewrite torch's archives (TorchScript, .pt2) record by record with torch's own writer."""

import io
from collections.abc import Callable

import torch

VERSIONS = ("version", ".data/version")
"""The record that holds the version: the first below version 6, the second from 6 on."""

WRITTEN_BY_THE_WRITER = frozenset({*VERSIONS, "byteorder", ".data/serialization_id"})


def record_names(archive: bytes) -> list[str]:
    """Return the names of all records in an archive."""
    names: list[str] = torch._C.PyTorchFileReader(io.BytesIO(archive)).get_all_records()
    return names


def rewrite(archive: bytes, change: Callable[[str, bytes], tuple[str, bytes] | None]) -> bytes:
    """Rewrite an archive; `change(name, record)` returns the new name and bytes of a record, or None to drop it.

    Records are sorted by name. The version stays as torch wrote it, since it decides how operators are interpreted:
    below 4, for example, the division of integers truncates.
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
