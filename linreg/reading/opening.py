"""Open what holds a table, by its first bytes rather than its name."""

from collections.abc import Sequence
from pathlib import Path

from linreg.config import MAX_COLUMNS
from linreg.errors import DataError
from linreg.reading.arrow_columns import ArrowStream
from linreg.reading.arrow_source import ArrowSource
from linreg.reading.csv_bytes import CODECS, CsvBytes
from linreg.reading.csv_source import CsvSource
from linreg.reading.file_kinds import check_kind
from linreg.reading.options import ReadOptions
from linreg.reading.parquet_source import ParquetSource
from linreg.reading.places import Place, place_of
from linreg.reading.sources import Source

KIND_BYTES = 2**16


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
    source: Source
    if start[:4] == b"PAR1":
        source = ParquetSource(place)
        if not 1 <= len(source.names) <= MAX_COLUMNS:
            raise DataError(f"{place.name}: has {len(source.names)} columns, expected 1 to {MAX_COLUMNS}")
        return source
    codec = next((codec for first, codec, _ in CODECS if start.startswith(first)), None)
    text = CsvBytes(place=place, codec=codec)
    check_kind(Path(place.name), text.head() if codec else start)
    return CsvSource(text, how, wanted)
