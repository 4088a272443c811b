"""Open what holds a table, by its first bytes rather than its name."""

import hashlib
from collections.abc import Sequence
from pathlib import Path

from linreg.config import MAX_COLUMNS
from linreg.errors import DataError
from linreg.reading.arrow_columns import ArrowStream
from linreg.reading.arrow_source import ArrowSource
from linreg.reading.csv_bytes import NAMES, CsvBytes, codec_of
from linreg.reading.csv_source import CsvSource
from linreg.reading.file_kinds import check_kind
from linreg.reading.options import ReadOptions
from linreg.reading.parquet_source import ParquetSource
from linreg.reading.places import Place, place_of
from linreg.reading.sources import Source

KIND_BYTES = 2**16
HASH_BYTES = 2**20
UNPACK = {
    codec: f"decompress it first: {program} FILE"
    for codec, program in {"gzip": "gunzip", "bz2": "bunzip2", "zstd": "zstd -d", "lz4": "lz4 -d"}.items()
}


def sources_of(table: Path | str | ArrowStream, how: ReadOptions, wanted: Sequence[str]) -> tuple[str, list[Source]]:
    """Return what messages call a table, and its parts in order.

    Raises:
        DataError: it is not a table, or has too many columns.
    """
    if not isinstance(table, Path | str):
        origin = type(table).__name__
        return origin, [ArrowSource(origin, table)]
    place = place_of(Path(table))
    return str(table), [_source_of(place, how, wanted)]


def _source_of(place: Place, how: ReadOptions, wanted: Sequence[str]) -> Source:
    with place.open() as file:
        start = file.read(KIND_BYTES)
        file.seek(max(place.size_bytes - KIND_BYTES, 0))
        end = file.read(KIND_BYTES)
    if start[:4] == b"PAR1":
        return _checked(ParquetSource(place))
    text = CsvBytes(place=place, codec=codec_of(start))
    if text.codec is None:
        check_kind(place.name, start, end)
        return CsvSource(text, how, wanted)
    head = text.head()
    if head[:4] == b"PAR1":
        return _checked(ParquetSource(place.unpacked(text.whole())))
    if (inner := codec_of(head)) is not None:
        raise DataError(
            f"{place.name}: is {NAMES[inner]} within {NAMES[text.codec]}, expected CSV or Parquet; {UNPACK[text.codec]}"
        )
    check_kind(place.name, head)
    return CsvSource(text, how, wanted)


def _checked(source: Source) -> Source:
    if not 1 <= len(source.names) <= MAX_COLUMNS:
        raise DataError(f"{source.origin}: has {len(source.names)} columns, expected 1 to {MAX_COLUMNS}")
    return source


def sha256_of(table: Path | str | ArrowStream) -> str | None:
    """Return the SHA-256 of the bytes of a file; None if the table is something else."""
    if not isinstance(table, Path | str):
        return None
    with place_of(Path(table)).open() as file:
        digest = hashlib.sha256()
        while data := file.read(HASH_BYTES):
            digest.update(data)
    return digest.hexdigest()
