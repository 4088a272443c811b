"""Rewrite torch archives (TorchScript, .pt2) record by record with torch's own writer."""

import io
from collections.abc import Callable

import torch

VERSIONS = ("version", ".data/version")
"""Records with the version: the first one up to version 5, the second one from version 6."""

WRITTEN_BY_THE_WRITER = frozenset({*VERSIONS, "byteorder", ".data/serialization_id"})


def record_names(archive: bytes) -> list[str]:
    """Names of the records of an archive."""
    names: list[str] = torch._C.PyTorchFileReader(io.BytesIO(archive)).get_all_records()
    return names


def rewrite(archive: bytes, change: Callable[[str, bytes], tuple[str, bytes] | None]) -> bytes:
    """Rewrite an archive: `change(name, record)` returns the new name and bytes of each record, or None to drop it.

    Records are written in the order of their names. The version stays as torch wrote it, because it selects the
    semantics of the operators: below version 4, integer division truncates.
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
