"""Read the columns of a table in memory: any object that exports an Arrow stream (pandas, polars, DuckDB, pyarrow)."""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Protocol, runtime_checkable

import pyarrow as pa

from linreg.config import MAX_COLUMNS
from linreg.errors import DataError, one_line
from linreg.reading.cells import is_text, may_hold_numbers
from linreg.reading.column_names import tidy


@runtime_checkable
class ArrowStream(Protocol):
    """A table in memory that implements the Arrow PyCapsule interface."""

    def __arrow_c_stream__(self, requested_schema: object | None = None) -> object:
        """Export the table as a stream of record batches."""


class ArrowColumns:
    """The columns of a table in memory.

    Attributes:
        names: normalised column names, in their order; some may be empty or duplicated.
        row_index: the names of the columns that hold the index of a pandas DataFrame.
    """

    def __init__(self, origin: str, data: ArrowStream) -> None:
        """Import the table. Its buffers are shared, not copied.

        Args:
            origin: what messages call the table.
            data: the table; a stream that can be read only once is used up.

        Raises:
            DataError: `data` is not a table, or its library cannot convert a column to Arrow.
        """
        try:
            self.table = pa.RecordBatchReader.from_stream(data).read_all()
        except pa.ArrowMemoryError:
            raise
        except Exception as error:  # whatever the library that owns the table raises
            raise DataError(f"{origin}: cannot be read as a table through Arrow: {one_line(error)}") from None
        if not 1 <= self.table.num_columns <= MAX_COLUMNS:
            raise DataError(f"{origin}: has {self.table.num_columns} columns, expected 1 to {MAX_COLUMNS}")
        self.names = [tidy(name) for name in self.table.column_names]
        self.row_index = row_index(self.names, self.table.schema.metadata)

    def size(self, places: Sequence[int]) -> tuple[int, int, int]:
        """Return the number of rows, how many columns at `places` may hold numbers, and the bytes needed to read them.

        The bytes are those for reading one column at a time.
        """
        used = [self.table.column(place) for place in places if may_hold_numbers(self.table.schema.types[place])]
        text = max((column.nbytes for column in used if is_text(column.type)), default=0)
        return self.table.num_rows, len(used), 2 * text + 32 * self.table.num_rows

    def read(self, places: Sequence[int]) -> Iterator[pa.ChunkedArray]:
        """Yield the columns at `places`, one by one."""
        yield from (self.table.column(place) for place in places)


def arrow_table(columns: Mapping[str, Any]) -> ArrowStream:
    """Make a table from a mapping of names to columns: lists, arrays, series or tensors.

    Raises:
        DataError: a name is not text, the columns differ in length, or Arrow cannot convert a column.
    """
    try:
        values = {name: column.tolist() if hasattr(column, "tolist") else column for name, column in columns.items()}
        table: ArrowStream = pa.table(values)
    except (TypeError, ValueError, AttributeError) as error:
        raise DataError(f"dict: is not a table of columns by name: {one_line(error)}") from None
    return table


def row_index(names: Sequence[str], metadata: dict[bytes, bytes] | None) -> frozenset[str]:
    """Return the names of the columns that hold the index of a pandas DataFrame, according to the schema.

    A RangeIndex is not stored as a column, so it has no name here.

    Args:
        names: names of the columns.
        metadata: metadata of the schema.
    """
    try:
        record = json.loads((metadata or {}).get(b"pandas", b"{}"))
        stored = {tidy(name) for name in record["index_columns"] if isinstance(name, str)}
    except (ValueError, RecursionError, KeyError, TypeError):
        stored = set()
    return frozenset(name for name in names if name in stored or re.fullmatch("__index_level_[0-9]+__", name))
