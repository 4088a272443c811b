"""Read the columns of a Parquet file."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet

from linreg.errors import DataError, one_line
from linreg.reading.arrow_columns import row_index
from linreg.reading.cells import is_text, may_hold_numbers
from linreg.reading.column_names import tidy

_FAULTS = (pa.ArrowException, OSError, UnicodeDecodeError)


class ParquetColumns:
    """A Parquet file whose footer has been read.

    Attributes:
        names: normalised column names, in the order of the file; some may be empty or duplicated.
        row_index: the names of the columns that pandas stored as the index.
    """

    def __init__(self, path: Path, raw: bytes) -> None:
        """Read the footer.

        Args:
            path: the name used in messages.
            raw: the bytes of the file.

        Raises:
            DataError: the footer cannot be read.
        """
        self._path = path
        self._buffer = pa.py_buffer(raw)
        try:
            self._file = pyarrow.parquet.ParquetFile(pa.BufferReader(self._buffer))
            self._schema = self._file.schema_arrow
            self.names = [tidy(name) for name in self._schema.names]
        except pa.ArrowMemoryError:
            raise
        except _FAULTS as error:
            raise self._unreadable(error) from None
        self.row_index = row_index(self.names, self._schema.metadata)

    def size(self, places: Sequence[int]) -> tuple[int, int, int]:
        """Return the number of rows, how many columns at `places` may hold numbers, and the bytes needed to read them.

        The bytes are those for reading one column at a time.
        """
        rows = self._file.metadata.num_rows
        used = [place for place in places if may_hold_numbers(self._schema.types[place])]
        texts = {self._schema.names[place] for place in used if is_text(self._schema.types[place])}
        leaves = [place for place in range(len(self._file.schema)) if self._file.schema.column(place).path in texts]
        packed = max((self._bytes_of(leaf) for leaf in leaves), default=0)
        return rows, len(used), 2 * packed + 32 * rows

    def _bytes_of(self, leaf: int) -> int:
        groups = range(self._file.metadata.num_row_groups)
        return sum(self._file.metadata.row_group(group).column(leaf).total_uncompressed_size for group in groups)

    def read(self, places: Sequence[int]) -> Iterator[pa.ChunkedArray]:
        """Yield the columns at `places`; of a column that cannot hold numbers, yield only the type, without rows.

        Text is dictionary-encoded, so that a long value repeated in many rows is held once.

        Raises:
            DataError: the file is damaged.
        """
        texts = [self._schema.names[place] for place in places if is_text(self._schema.types[place])]
        try:
            file = pyarrow.parquet.ParquetFile(
                pa.BufferReader(self._buffer), metadata=self._file.metadata, read_dictionary=texts
            )
            for place in places:
                kind = self._schema.types[place]
                if may_hold_numbers(kind) and not pa.types.is_null(kind):
                    name = self._schema.names[place]
                    table = file.read(columns=[name])  # also reads columns whose names start with this name and a dot
                    column = table.column(table.column_names.index(name))
                    column.validate(full=True)
                    yield column
                elif pa.types.is_null(kind):
                    yield pa.chunked_array([pa.nulls(self._file.metadata.num_rows)])
                else:
                    yield pa.chunked_array([], kind)
        except pa.ArrowMemoryError:
            raise
        except _FAULTS as error:
            raise self._unreadable(error) from None

    def _unreadable(self, error: BaseException) -> DataError:
        return DataError(f"{self._path}: is Parquet, but cannot be read: {one_line(error)}; write or fetch it again")
