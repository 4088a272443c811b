"""Read a Parquet file, one row group after another, and only the columns that are used."""

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from itertools import accumulate
from typing import Any

import pyarrow as pa
import pyarrow.parquet

from linreg.errors import DataError, one_line
from linreg.reading.arrow_columns import row_index
from linreg.reading.blocks import BLOCK_ROWS, PASSED_BYTES
from linreg.reading.cells import is_text
from linreg.reading.column_names import tidy
from linreg.reading.place import Place
from linreg.reading.sources import Batch

BUFFER_BYTES = 2**20
"""Read ahead in a column; without such a limit a whole column of a row group is held, however long."""
FIRST_ROWS = 16
"""Rows that show how long texts are."""
_FAULTS = (pa.ArrowException, OSError, UnicodeDecodeError)


class ParquetSource:
    """A Parquet file whose footer has been read; attributes as in `linreg.reading.sources.Source`."""

    typed = True
    seekable = True
    repeatable = True

    def __init__(self, place: Place) -> None:
        """Read the footer.

        Raises:
            DataError: the footer cannot be read.
        """
        self.read_from: Place = place
        self.origin = place.name
        self.size_bytes: int | None = place.size_bytes
        try:
            with self._file() as file:
                metadata, schema = file.metadata, file.schema_arrow
                groups = [metadata.row_group(group).num_rows for group in range(metadata.num_row_groups)]
                self.own_names = list(schema.names)
                self._kinds = list(schema.types)
        except pa.ArrowMemoryError:
            raise
        except _FAULTS as error:
            raise self._unreadable(error) from None
        self.names = [tidy(name) for name in self.own_names]
        self.rows: int | None = metadata.num_rows
        self._starts = [0, *accumulate(groups)]
        self.row_index = row_index(self.names, schema.metadata)

    @property
    def in_a_file(self) -> bool:
        """Whether it is a file of its own, not one that was unpacked into memory."""
        return self.read_from.contents is None

    def kind(self, place: int) -> pa.DataType:
        """Return the type of a column."""
        return self._kinds[place]

    def reading_start(self, row: int) -> int:
        """Return the first row of the row group of a row."""
        return int(self._starts[max(bisect_right(self._starts, row) - 1, 0)])

    def batches(self, places: Sequence[int], *, passing: Sequence[int] = (), start: int = 0) -> Iterator[Batch]:
        """Yield rows in order from the row group of row `start` on; text is dictionary-encoded.

        Raises:
            DataError: the file is damaged.
        """
        read = [place for place in dict.fromkeys([*places, *passing]) if not pa.types.is_null(self._kinds[place])]
        first = max(bisect_right(self._starts, start) - 1, 0)
        at, size = self._starts[first], self.size_bytes or 0
        starts = self._starts
        groups = [group for group in range(first, len(starts) - 1) if starts[group] < starts[group + 1]]
        texts = [self.own_names[place] for place in places if is_text(self._kinds[place]) and place not in passing]
        try:
            with self._file(read_dictionary=texts) as file:
                for group in groups:
                    rows = _rows_at_a_time(file, group, [self.own_names[place] for place in read if place in passing])
                    for batch in self._of_group(file, group, read, rows):
                        by_place = {place: self._column(batch, place) for place in dict.fromkeys([*places, *passing])}
                        share = size * batch.num_rows // max(self.rows or 1, 1)
                        yield Batch(
                            first_row=at,
                            rows=batch.num_rows,
                            columns=[pa.chunked_array([by_place[place]]) for place in places],
                            passed=self._passed(by_place, passing),
                            read_bytes=share,
                        )
                        at += batch.num_rows
        except pa.ArrowMemoryError:
            raise
        except _FAULTS as error:
            raise self._unreadable(error) from None

    def _of_group(self, file: Any, group: int, read: Sequence[int], batch_rows: int) -> Iterator[pa.RecordBatch]:
        if not read:
            rows = self._starts[group + 1] - self._starts[group]
            for start in range(0, rows, BLOCK_ROWS):
                yield pa.record_batch([pa.nulls(min(BLOCK_ROWS, rows - start))], names=[""])
            return
        names = [self.own_names[place] for place in read]
        for batch in file.iter_batches(batch_rows, row_groups=[group], columns=names, use_threads=False):
            batch.validate(full=True)
            yield batch

    def _column(self, batch: pa.RecordBatch, place: int) -> pa.Array:
        """Return a column of a batch, which also has those whose names equal or continue its own."""
        if pa.types.is_null(self._kinds[place]):
            return pa.nulls(batch.num_rows)
        same = [at for at, name in enumerate(batch.schema.names) if name == self.own_names[place]]
        return batch.column(same[self.own_names[:place].count(self.own_names[place])])

    def _passed(self, by_place: dict[int, pa.Array], passing: Sequence[int]) -> pa.RecordBatch | None:
        if not passing:
            return None
        return pa.record_batch([by_place[place] for place in passing], names=[self.own_names[p] for p in passing])

    def _file(self, **options: Any) -> Any:
        return pyarrow.parquet.ParquetFile(
            self.read_from.open(), pre_buffer=False, buffer_size=BUFFER_BYTES, memory_map=False, **options
        )

    def _unreadable(self, error: BaseException) -> DataError:
        problem = one_line(error).rstrip(".")
        remedy = "write or fetch it again" if self.read_from.file else "try again, or write it again"
        return DataError(f"{self.origin}: is Parquet, but cannot be read: {problem}; {remedy}")


def _rows_at_a_time(file: Any, group: int, passing: Sequence[str]) -> int:
    """Return how many rows of a row group to read at once, so that long texts that pass through need little memory."""
    if not passing:
        return BLOCK_ROWS
    metadata, names = file.metadata.row_group(group), set(passing)
    stored_bytes = 0
    for place in range(metadata.num_columns):
        column = metadata.column(place)
        if not names.isdisjoint((column.path_in_schema, column.path_in_schema.partition(".")[0])):
            stored_bytes += int(column.total_uncompressed_size)
    # What is stored once may be read in many rows.
    first = next(file.iter_batches(FIRST_ROWS, row_groups=[group], columns=list(passing), use_threads=False))
    row_bytes = max(stored_bytes / metadata.num_rows, first.nbytes / first.num_rows)
    return max(1, min(BLOCK_ROWS, int(PASSED_BYTES / max(row_bytes, 1.0))))
