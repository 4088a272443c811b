"""Open a torch archive within limits that are checked before anything is unpacked."""

from dataclasses import dataclass
from typing import Any

from export.bounded_json import parse_json
from export.inspection.inspected import MAX_TEXT, cut
from linreg.archive import read_archive

MAX_ENTRIES = 20_000

JSON_BYTES = 96 * 2**20
JSON_GROWTH = 8
"""Memory limit for the JSON of an archive: a constant, plus a multiple of the file size."""

METADATA_JSON_BYTES = 4 * 2**20


@dataclass(frozen=True, kw_only=True)
class Archive:
    """An archive with valid checksums, in the form that torch writes.

    Attributes:
        records: contents by record name; the names omit the archive's top-level folder.
        json_bytes: memory limit for parsing one of its JSON records, in bytes.
    """

    records: dict[str, memoryview]
    json_bytes: int

    def read(self, name: str, limit: int = 2**63) -> bytes:
        """Read a record, or its first `limit` bytes."""
        record = self.records[name]
        return bytes(record[: min(limit, len(record))])

    def json(self, name: str) -> Any:
        """Parse a JSON record.

        Raises:
            ValueError: the record is not JSON, or needs too much memory.
        """
        if len(self.records[name]) > self.json_bytes:
            raise ValueError(f"{name!r} has {len(self.records[name])} bytes, expected at most {self.json_bytes}")
        return parse_json(self.read(name), max_bytes=self.json_bytes)

    def metadata(self) -> dict[str, Any]:
        """Return the contents of the extra files; linreg's is parsed as JSON, and all others are text."""
        found: dict[str, Any] = {}
        for name, record in self.records.items():
            if name == "extra/linreg.json" and len(record) <= METADATA_JSON_BYTES:
                try:
                    value = self.json(name)
                except ValueError:
                    value = self._text(name)
                found |= value if isinstance(value, dict) else {"linreg": value}
            elif name.startswith("extra/"):
                found[name.removeprefix("extra/")] = self._text(name)
        return found

    def _text(self, name: str) -> str:
        return cut(self.read(name, MAX_TEXT + 1).decode(errors="backslashreplace"), MAX_TEXT)


def open_archive(name: str, data: bytes) -> Archive:
    """Open an archive and check the checksum of every record.

    Raises:
        ValueError: the archive lists too many records.
        ModelError: the archive is damaged, or does not have the form that torch writes.
    """
    if data.count(b"PK\x01\x02") > MAX_ENTRIES:
        raise ValueError(f"it lists more than {MAX_ENTRIES} records")
    return Archive(records=read_archive(name, data), json_bytes=JSON_BYTES + JSON_GROWTH * len(data))
