"""Open what holds a table, by its first bytes rather than its name."""

import hashlib
from collections.abc import Sequence
from itertools import zip_longest
from pathlib import Path

import pyarrow as pa

from linreg.config import MAX_COLUMNS
from linreg.errors import DataError, OptionError
from linreg.reading.arrow_columns import ArrowStream
from linreg.reading.arrow_source import ArrowSource
from linreg.reading.cells import is_text
from linreg.reading.column_names import short
from linreg.reading.csv_bytes import NAMES, CsvBytes, codec_of
from linreg.reading.csv_source import CsvSource
from linreg.reading.file_kinds import check_kind
from linreg.reading.options import ReadOptions
from linreg.reading.parquet_source import ParquetSource
from linreg.reading.place import Place
from linreg.reading.places import places_of
from linreg.reading.sources import Source

KIND_BYTES = 2**16
HASH_BYTES = 2**20
UNPACK = {
    codec: f"decompress it first: {program} FILE"
    for codec, program in {"gzip": "gunzip", "bz2": "bunzip2", "zstd": "zstd -d", "lz4": "lz4 -d"}.items()
}

SUFFIXES = (".csv", ".tsv", ".parquet", ".gz", ".bz2", ".zst", ".lz4")
"""Of tables: among such files, another one with other columns, such as a README.md, is no table."""


def sources_of(table: Path | str | ArrowStream, how: ReadOptions, wanted: Sequence[str]) -> tuple[str, list[Source]]:
    """Return what messages call a table, and its parts in order.

    Raises:
        DataError: it is not a table, or has too many columns.
        OptionError: an option was given that none of its columns can need.
    """
    if isinstance(table, Path | str):
        origin = str(table)
        sources: list[Source] = [_source_of(place, how, wanted) for place in places_of(table)]
    else:
        origin = type(table).__name__
        sources = [ArrowSource(origin, table)]
    for other in sources[1:]:
        _check_same(sources[0], other)
    _check_given(origin, sources, how, wanted)
    return origin, sources


def _check_given(origin: str, sources: list[Source], how: ReadOptions, wanted: Sequence[str]) -> None:
    """Check that the options that were given apply: Parquet files and tables in memory have columns with types."""
    if not how.given or not all(source.typed for source in sources):
        return
    if "delimiter" in how.given:
        raise OptionError(f"--delimiter belongs to a CSV, and {origin} is none; leave it out")
    first = sources[0]
    kinds = [first.kind(at) for at, name in enumerate(first.names) if name in wanted or not wanted]
    if any(is_text(kind.value_type if pa.types.is_dictionary(kind) else kind) for kind in kinds):
        return
    for name in ("decimal", "thousands", "missing"):
        if name in how.given and not (name == "missing" and how.missing_numbers):
            raise OptionError(f"--{name} belongs to text, and {origin} has no column of text to use; leave it out")


def _check_same(first: Source, other: Source) -> None:
    """Check that two parts of a table have the same columns, in the same order."""
    if other.names == first.names:
        return
    strange = [source.origin for source in (first, other) if Path(source.origin).suffix.lower() not in SUFFIXES]
    if len(strange) == 1:
        raise DataError(
            f"{strange[0]}: is not a table with the columns of the files beside it; move it elsewhere, or name the "
            "tables with a pattern such as 'data/*.csv'"
        )
    pairs = zip_longest(first.names, other.names)
    place, (expected, got) = next((place, pair) for place, pair in enumerate(pairs, 1) if pair[0] != pair[1])
    names = [f"{short(name)}" if name is not None else "none" for name in (got, expected)]
    raise DataError(
        f"{other.origin}: its columns differ from those of {first.origin}: column {place} is {names[0]}, "
        f"expected {names[1]}; give every file the same columns"
    )


def _source_of(place: Place, how: ReadOptions, wanted: Sequence[str]) -> Source:
    with place.open() as file:
        start = file.read(KIND_BYTES)
        end = b""
        if place.size_bytes is not None:
            file.seek(max(place.size_bytes - KIND_BYTES, 0))
            end = file.read(KIND_BYTES)
    if start[:4] == b"PAR1":
        if place.pipe is not None:
            raise DataError("-: is Parquet, whose footer comes last, and cannot be read from a pipe; save it to a file")
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
    places = places_of(table)
    if len(places) > 1 or places[0].pipe is not None:
        return None
    with places[0].open() as file:
        digest = hashlib.sha256()
        while data := file.read(HASH_BYTES):
            digest.update(data)
    return digest.hexdigest()
