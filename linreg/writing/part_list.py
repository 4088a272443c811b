"""The list of the parts in a folder of predictions: its manifest, which is written last."""

import os
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from linreg.errors import LinregError, ModelError
from linreg.journal import PART_NAME, PARTS_MANIFEST
from linreg.json_files import json_bytes, read_json
from linreg.manifest import is_sha256

WRITTEN_BY = "linreg predict"
SCHEMA_VERSION = 1


@dataclass(frozen=True, kw_only=True)
class PartFile:
    """One file of a folder.

    Attributes:
        name: its name.
        rows: number of rows.
        sha256: SHA-256 of its bytes.
    """

    name: str
    rows: int
    sha256: str


def part_name(place: int) -> str:
    """Return the name of the part at a place, counted from 0; names sort in the order of the rows."""
    return f"part-{place:05d}.parquet"


def list_bytes(parts: Sequence[PartFile]) -> bytes:
    """Return the manifest of a folder with these parts."""
    return json_bytes(
        {
            "schema_version": SCHEMA_VERSION,
            "written_by": WRITTEN_BY,
            "rows": sum(part.rows for part in parts),
            "files": [asdict(part) for part in parts],
        }
    )


def listed_parts(folder: Path) -> tuple[PartFile, ...]:
    """Return the parts that the manifest of a folder lists; none if it has no manifest.

    Raises:
        ModelError: the manifest is damaged, or of another program.
    """
    path = folder / PARTS_MANIFEST
    if not os.path.lexists(path):
        return ()
    try:
        record = read_json(path)
        if record["written_by"] != WRITTEN_BY or record["schema_version"] != SCHEMA_VERSION:
            raise ValueError
        return tuple(_part(entry) for entry in record["files"])
    except (LinregError, KeyError, TypeError, ValueError):
        raise ModelError(
            f"{path}: is not a list of parts that linreg predict wrote; choose another folder with -o"
        ) from None


def _part(entry: Any) -> PartFile:
    part = PartFile(**entry)
    if not PART_NAME.fullmatch(part.name) or type(part.rows) is not int or not is_sha256(part.sha256):
        raise ValueError
    return part
