"""Find the columns of a table by name.

The first bytes of a file, not its name, decide what it is.
"""

import difflib
import gzip
import io
import zlib
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from linreg.config import MAX_CELLS, MAX_COLUMNS, MAX_NAME_LENGTH, MAX_TABLE_BYTES
from linreg.errors import DataError, one_line
from linreg.memory import available_bytes, check_memory, in_words
from linreg.reading.arrow_columns import ArrowColumns
from linreg.reading.column_names import listed, short
from linreg.reading.csv_columns import CsvColumns
from linreg.reading.file_kinds import check_kind
from linreg.reading.parquet_columns import ParquetColumns

BYTES_A_CELL = 24
"""A number is held three times: in its column, in the table of used columns, and in the complete rows."""

Columns = CsvColumns | ParquetColumns | ArrowColumns


def open_columns(path: Path, raw: bytes, wanted: Sequence[str] = ()) -> Columns:
    """Read the column names of a file, but none of its columns yet.

    Args:
        path: the name used in messages.
        raw: the bytes of the file, gzip-compressed or not.
        wanted: the names of the columns to use, if they are known.

    Raises:
        DataError: the file is not a table, or has too many columns.
    """
    if raw[:2] == b"\x1f\x8b":
        raw = _unzip(path, raw)
    columns: Columns
    if raw[:4] == b"PAR1":
        columns = ParquetColumns(path, raw)
    else:
        check_kind(path, raw)
        columns = CsvColumns(path, raw, wanted)
    if not 1 <= len(columns.names) <= MAX_COLUMNS:
        raise DataError(f"{path}: has {len(columns.names)} columns, expected 1 to {MAX_COLUMNS}")
    return columns


def places_of_all(origin: str, columns: Columns, target: str | None) -> list[int]:
    """Return the positions of all columns except the pandas index.

    Args:
        origin: what messages call the table: its path, or its type.
        columns: columns of the table.
        target: the column to predict; included even if it is the pandas index.

    Raises:
        DataError: a name is empty, too long or duplicated, or the target is missing.
    """
    places = [place for place, name in enumerate(columns.names) if name == target or name not in columns.row_index]
    seen = set()
    for place in places:
        name = columns.names[place]
        if not name:
            raise DataError(
                f"{origin}: column {place + 1} has no name; name it (pandas: write with index=False), "
                "or choose columns with --features"
            )
        if len(name) > MAX_NAME_LENGTH:
            raise DataError(
                f"{origin}: the name of column {place + 1} has {len(name)} characters, at most {MAX_NAME_LENGTH}"
            )
        if name in seen:
            raise DataError(
                f"{origin}: two columns are called {short(name)}; rename one, or choose others with --features"
            )
        seen.add(name)
    if target is not None and target not in seen:
        raise _no_column(origin, columns.names, target)
    return places


def places_of_named(origin: str, columns: Columns, names: Sequence[str]) -> list[int]:
    """Return the positions of the columns `names`, in the file's order; the names of other columns are not checked.

    Raises:
        DataError: a name is missing or duplicated.
    """
    there = Counter(columns.names)
    for name in names:
        if not there[name]:
            raise _no_column(origin, columns.names, name)
        if there[name] > 1:
            raise DataError(f"{origin}: two columns are called {short(name)}; rename one")
    return [place for place, name in enumerate(columns.names) if name in names]


def check_size(origin: str, columns: Columns, places: Sequence[int]) -> None:
    """Check the size of a table before it is read.

    Raises:
        DataError: the table has more cells than the limit, or needs more memory than is available.
    """
    rows, width, needed = columns.size(places)
    if rows * width > MAX_CELLS:
        raise DataError(
            f"{origin}: has {rows} rows of {width} columns, expected at most {MAX_CELLS} cells; "
            "choose fewer columns with --features, or use fewer rows"
        )
    check_memory(origin, needed + BYTES_A_CELL * rows * len(places), f"{rows:,} rows of {len(places):,} columns")


def _no_column(origin: str, names: list[str], name: str) -> DataError:
    by_case = {other.casefold(): other for other in names}
    near = difflib.get_close_matches(name.casefold(), by_case, n=1)
    hint = f"did you mean {by_case[near[0]]!r}?" if near else f"expected one of {listed(names)}"
    if len(words := name.split()) > 1 and set(words) <= set(names):
        hint = f"separate names with commas: {','.join(words)}"
    return DataError(f"{origin}: has no column {name!r}; {hint}")


def _unzip(path: Path, raw: bytes) -> bytes:
    there = available_bytes()
    limit = MAX_TABLE_BYTES if there is None else min(MAX_TABLE_BYTES, there)
    data = io.BytesIO()
    try:
        with gzip.GzipFile(fileobj=io.BytesIO(raw)) as stream:
            while chunk := stream.read(2**24):
                data.write(chunk)
                if data.tell() > limit:
                    most = f"the limit of {limit} bytes"
                    if limit != MAX_TABLE_BYTES:
                        most = f"{limit} bytes, the available memory ({in_words(limit)})"
                    raise DataError(f"{path}: its unpacked size exceeds {most}; read a part of it")
    except EOFError:
        raise DataError(f"{path}: is gzip, but truncated; fetch the file again") from None
    except (OSError, zlib.error) as error:
        raise DataError(f"{path}: is gzip, but damaged: {one_line(error)}; fetch the file again") from None
    return data.getvalue()
