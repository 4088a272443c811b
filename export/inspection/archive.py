"""Open an archive of torch's, within limits that are known before anything is unpacked."""

from dataclasses import dataclass
from typing import Any

from export.bounded_json import parse_json
from export.inspection.inspected import MAX_TEXT, cut
from linreg.archive import read_archive

MAX_ENTRIES = 20_000

JSON_BYTES = 96 * 2**20
JSON_GROWTH = 8
"""Memory that the JSON of an archive may take: this much, and so much for each byte of the file."""

METADATA_JSON_BYTES = 4 * 2**20


@dataclass(frozen=True, kw_only=True)
class Archive:
    """An archive in the one form that torch writes, whose checksums are right.

    Attributes:
        records: by the name below its folder.
        json_bytes: memory that its JSON may take.
    """

    records: dict[str, memoryview]
    json_bytes: int

    def read(self, name: str, limit: int = 2**63) -> bytes:
        """A record, or its first bytes."""
        record = self.records[name]
        return bytes(record[: min(limit, len(record))])

    def json(self, name: str) -> Any:
        """A record of JSON.

        Raises:
            ValueError: it is none, or takes too much memory.
        """
        if len(self.records[name]) > self.json_bytes:
            raise ValueError(f"{name!r} has {len(self.records[name])} bytes, expected at most {self.json_bytes}")
        return parse_json(self.read(name), max_bytes=self.json_bytes)

    def metadata(self) -> dict[str, Any]:
        """The extra files: ours is JSON, others are shown as text."""
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
    """Open an archive and compare the checksum of every record.

    Raises:
        ValueError: it lists too many records.
        ModelError: it is damaged, or is not in the one form that torch writes.
    """
    if data.count(b"PK\x01\x02") > MAX_ENTRIES:
        raise ValueError(f"it lists more than {MAX_ENTRIES} records")
    return Archive(records=read_archive(name, data), json_bytes=JSON_BYTES + JSON_GROWTH * len(data))
