"""Read a table in memory."""

from collections.abc import Iterator, Sequence

import pyarrow as pa

from linreg.reading.arrow_columns import ArrowColumns, ArrowStream
from linreg.reading.blocks import BLOCK_ROWS
from linreg.reading.sources import Batch


class ArrowSource:
    """A table in memory; attributes as in `linreg.reading.sources.Source`."""

    typed = True
    seekable = True
    repeatable = True
    read_from = None

    def __init__(self, origin: str, data: ArrowStream) -> None:
        """Import the table. Its buffers are shared, not copied.

        Raises:
            DataError: `data` is not a table, or its library cannot convert a column to Arrow.
        """
        imported = ArrowColumns(origin, data)
        self._table = imported.table
        self.origin = origin
        self.names = imported.names
        self.own_names = list(self._table.column_names)
        self.row_index = imported.row_index
        self.rows: int | None = self._table.num_rows
        self.size_bytes: int | None = self._table.nbytes

    def kind(self, place: int) -> pa.DataType:
        """Return the type of a column."""
        return self._table.schema.types[place]

    def reading_start(self, row: int) -> int:
        """Return the row itself."""
        return row

    def batches(self, places: Sequence[int], *, passing: Sequence[int] = (), start: int = 0) -> Iterator[Batch]:
        """Yield rows in order, beginning at row `start`."""
        total = self._table.num_rows
        for at in range(start, total, BLOCK_ROWS):
            piece = self._table.slice(at, BLOCK_ROWS)
            passed = None
            if passing:
                chosen = piece.select(list(passing)).combine_chunks()
                passed = pa.record_batch([_whole(column) for column in chosen.columns], schema=chosen.schema)
            yield Batch(
                first_row=at,
                rows=piece.num_rows,
                columns=[piece.column(place) for place in places],
                passed=passed,
                read_bytes=(self.size_bytes or 0) * piece.num_rows // total,
            )


def _whole(column: pa.ChunkedArray) -> pa.Array:
    return column.chunk(0) if column.num_chunks == 1 else pa.concat_arrays(column.chunks)
