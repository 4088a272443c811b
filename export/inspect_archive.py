"""Open a zip archive of torch's, within limits that are known before anything is unpacked."""

import io
import zipfile
from dataclasses import dataclass
from typing import Any

from export.bounded_json import parse_json
from export.inspected import MAX_TEXT, cut
from linreg.config import MAX_STATE_BYTES

MAX_ENTRIES = 20_000
UNPACKED_BEYOND_BYTES = 64 * 2**20
"""What an archive may unpack to beyond its own size: torch compresses code only, and stores weights as they are."""

JSON_BYTES = 96 * 2**20
JSON_GROWTH = 8
"""Memory that the JSON of an archive may take: this much, and so much for each byte of the file."""

METADATA_JSON_BYTES = 4 * 2**20


@dataclass(frozen=True, kw_only=True)
class Archive:
    """An archive whose checksums are right.

    Attributes:
        names: the full names of its records, by the name below its folder.
        sizes: of the records, by the name below its folder.
        json_bytes: memory that its JSON may take.
    """

    zip: zipfile.ZipFile
    names: dict[str, str]
    sizes: dict[str, int]
    json_bytes: int

    def read(self, name: str, limit: int = 2**63) -> bytes:
        """A record, or its first bytes."""
        with self.zip.open(self.names[name]) as stream:
            return stream.read(min(limit, self.sizes[name]))

    def json(self, name: str) -> Any:
        """A record of JSON.

        Raises:
            ValueError: it is none, or takes too much memory.
        """
        if self.sizes[name] > self.json_bytes:
            raise ValueError(f"{name!r} unpacks to {self.sizes[name]} bytes, expected at most {self.json_bytes}")
        return parse_json(self.read(name), max_bytes=self.json_bytes)

    def metadata(self) -> dict[str, Any]:
        """The extra files: ours is JSON, others are shown as text."""
        found: dict[str, Any] = {}
        for name in self.names:
            if name == "extra/linreg.json" and self.sizes[name] <= METADATA_JSON_BYTES:
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


def open_archive(data: bytes) -> Archive:
    """Open an archive and compare the checksum of every record.

    Raises:
        ValueError: it is damaged, has other compression than torch's, or unpacks to too much.
        Exception: zipfile raises half a dozen other classes on damaged files.
    """
    if data.count(b"PK\x01\x02") > MAX_ENTRIES:
        raise ValueError(f"it lists more than {MAX_ENTRIES} records")
    archive = zipfile.ZipFile(io.BytesIO(data))
    entries = archive.infolist()
    limit = min(MAX_STATE_BYTES, len(data) + UNPACKED_BEYOND_BYTES)
    if (total := sum(entry.file_size for entry in entries)) > limit:
        raise ValueError(f"it unpacks to {total} bytes, expected at most {limit}")
    for entry in entries:
        if entry.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            raise ValueError(f"{cut(entry.filename)!r} is compressed in a way that torch does not know")
    if (damaged := archive.testzip()) is not None:
        raise ValueError(f"the checksum of {cut(damaged)!r} is wrong")
    short = {entry.filename.split("/", 1)[-1]: entry for entry in entries}
    return Archive(
        zip=archive,
        names={name: entry.filename for name, entry in short.items()},
        sizes={name: entry.file_size for name, entry in short.items()},
        json_bytes=JSON_BYTES + JSON_GROWTH * len(data),
    )
