"""What the readers of CSV, Parquet and tables in memory have in common."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, TypeAlias

import pyarrow as pa

from linreg.reading.place import Place

Column: TypeAlias = Any  # pa.ChunkedArray | NDArray[np.float64]; pyarrow has no types
"""The cells of a column as they stand in the file, or numbers: finite, or NaN for a missing value."""


@dataclass(frozen=True, kw_only=True)
class Batch:
    """Consecutive rows of one file.

    Attributes:
        first_row: place of the first row in the file, counted from 0.
        rows: number of rows.
        columns: the requested columns, in the requested order.
        passed: the columns to pass through, under the file's own names; None if there are none.
        read_bytes: bytes of the file that were read for these rows, approximately.
    """

    first_row: int
    rows: int
    columns: list[Column]
    passed: pa.RecordBatch | None
    read_bytes: int


class Source(Protocol):
    """A file or a table in memory whose column names are known.

    Attributes:
        origin: what messages call it.
        names: normalised column names, in its order; some may be empty or duplicated.
        own_names: the names as they stand in the file.
        row_index: the names of the columns that pandas stored as the index.
        rows: number of rows; None as long as it is unknown.
        size_bytes: bytes to read; None if it is unknown.
        typed: whether its columns have types; those of a CSV have not.
        seekable: whether `batches` can begin at any row without reading those before it.
        repeatable: whether `batches` can be called more than once.
    """

    origin: str
    names: list[str]
    own_names: list[str]
    row_index: frozenset[str]
    rows: int | None
    size_bytes: int | None
    typed: bool
    seekable: bool
    repeatable: bool

    @property
    def read_from(self) -> Place | None:
        """The file or the pipe that it is read from; None if it is in memory."""

    def kind(self, place: int, /) -> pa.DataType:
        """Return the type of a column; of a CSV, text."""

    def reading_start(self, row: int, /) -> int:
        """Return the row from which the file is read to reach a row of it."""

    def batches(self, places: Sequence[int], *, passing: Sequence[int] = (), start: int = 0) -> Iterator[Batch]:
        """Yield rows in order, beginning at row `start` or shortly before.

        Args:
            places: positions of the columns to read as numbers.
            passing: positions of the columns to pass through.
            start: row of the file, counted from 0.

        Raises:
            DataError: the file is damaged.
        """


def first_with_rows(sources: Sequence[Source]) -> Source:
    """Return the first part of a table that has a row, by whose values columns are judged, or the first part."""
    if len(sources) == 1:
        return sources[0]
    return next((source for source in sources if source.rows or (source.rows is None and _starts(source))), sources[0])


def _starts(source: Source) -> bool:
    return any(batch.rows for batch in source.batches([0]))


def check_unchanged(sources: Sequence[Source], start: int, stop: int | None) -> None:
    """Check, after some rows of a table were read, that their files were not written meanwhile.

    Args:
        sources: the files of the table.
        start: first row that was read.
        stop: row before which reading stopped; None for the end.

    Raises:
        DataError: one was written.
    """
    begin: int | None = 0
    for source in sources:
        end = None if begin is None or source.rows is None else begin + source.rows
        is_before = end is not None and end <= start
        is_after = stop is not None and begin is not None and begin >= stop
        if source.read_from is not None and not is_before and not is_after:
            source.read_from.check_unchanged()
        begin = end
