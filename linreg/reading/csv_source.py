"""Read a CSV in chunks: its columns of numbers as such, and as text whatever is not a number at once."""

import re
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from threading import Lock

import numpy as np
import pyarrow as pa
import pyarrow.csv
from numpy.typing import NDArray

from linreg.errors import DataError, one_line
from linreg.reading.cells import MISSING, plain_numbers, with_gaps
from linreg.reading.csv_bytes import HEAD_BYTES, CsvBytes
from linreg.reading.csv_chunks import MAX_LINE_LENGTH, QuoteError, chunks, has_record
from linreg.reading.csv_header import check_utf8, read_header
from linreg.reading.options import ReadOptions
from linreg.reading.place import Place
from linreg.reading.sources import Batch, Column

_MARKING = Lock()


class CsvSource:
    """A CSV file whose header has been read; attributes as in `linreg.reading.sources.Source`."""

    def __init__(self, source: CsvBytes, how: ReadOptions, wanted: Sequence[str] = ()) -> None:
        """Read the header.

        Args:
            source: the bytes of the file, unpacked.
            how: how the cells are written.
            wanted: names of the columns to use; a first row that has all of them is a header even if it looks like
                numbers, as in the programs of deploy/.

        Raises:
            DataError: there is no header.
        """
        self._source = source
        self._how = how
        self.origin = source.name
        header = read_header(source.name, _head(source, how), how, wanted)
        self.names, self.own_names = header.names, header.own_names
        self.row_index: frozenset[str] = frozenset()
        self.rows: int | None = None
        self.size_bytes = source.size_bytes
        self.typed = False
        self.seekable = False
        self.repeatable = source.repeatable
        self.read_from: Place = source.place
        self._marks = [(0, header.end)]

    def kind(self, _place: int) -> pa.DataType:
        """Return the type of text."""
        return pa.large_string()

    def reading_start(self, _row: int) -> int:
        """Return the first row."""
        return 0

    def batches(self, places: Sequence[int], *, passing: Sequence[int] = (), start: int = 0) -> Iterator[Batch]:
        """Yield rows in order, beginning with the chunk of row `start` if an earlier pass has met it.

        Raises:
            DataError: a row has too few cells or too many, a quote is not closed, or a used cell is not UTF-8.
        """
        rows, offset = self._marks[bisect_right(self._marks, (start, 2**63)) - 1]
        # Thousands separators are a matter of text.
        as_text = set(places) if self._how.thousands else set[int]()
        with closing(self._source.open(offset)) as stream:
            try:
                for chunk in chunks(stream, self.origin, self._how.separator):
                    _check_zero(self.origin, chunk, offset)
                    whole = _Chunk(text=chunk, offset=offset, first_row=rows)
                    columns, passed, count = self._parse(whole, places, passing, as_text)
                    yield Batch(
                        first_row=rows, rows=count, columns=columns, passed=passed, read_bytes=stream.taken_bytes()
                    )
                    rows, offset = rows + count, offset + len(chunk)
                    self._mark(rows, offset)
            except QuoteError as error:
                raise QuoteError(error.name, rows + error.row, error.problem) from None
        self.rows = rows

    def _mark(self, rows: int, offset: int) -> None:
        """Remember where a chunk begins, for passes that begin later in the file."""
        if self._source.seekable:
            with _MARKING:
                if rows > self._marks[-1][0]:
                    self._marks.append((rows, offset))

    def _parse(
        self, chunk: "_Chunk", places: Sequence[int], passing: Sequence[int], as_text: set[int]
    ) -> tuple[list[Column], pa.RecordBatch | None, int]:
        """Return the columns of a chunk; places whose cells are not all numbers are added to `as_text`."""
        numbers = self._numbers(chunk, places, as_text)
        others = [*(place for place in places if place not in numbers), *passing]
        read: dict[int, pa.ChunkedArray] = {}
        if others or not numbers:
            read = self._columns(chunk, dict.fromkeys(others or [0], pa.large_string()))
        rows = len(next(iter((numbers or read).values())))
        passed = None
        if passing:
            names = [self.own_names[place] for place in passing]
            passed = pa.record_batch([read[place].combine_chunks() for place in passing], names=names)
        return [numbers[place] if place in numbers else read[place] for place in places], passed, rows

    def _numbers(self, chunk: "_Chunk", places: Sequence[int], as_text: set[int]) -> dict[int, NDArray[np.float64]]:
        """Return the columns that hold only numbers and missing values, by place."""
        while wanted := [place for place in places if place not in as_text]:
            try:
                read = self._columns(chunk, dict.fromkeys(wanted, pa.float64()))
            except _NotANumberError as error:
                as_text |= {error.place, *self._not_numbers(chunk, wanted)}
                continue
            numbers = {place: _plain(column) for place, column in read.items()}
            # pyarrow also reads inf, NAN and nan(1): what they mean here is decided with the text at hand.
            if not (odd := {place for place, values in numbers.items() if values is None}):
                return {place: with_gaps(values, self._how) for place, values in numbers.items() if values is not None}
            as_text |= odd
        return {}

    def _not_numbers(self, chunk: "_Chunk", places: Sequence[int]) -> list[int]:
        """Return the places whose cells are not all numbers as a CSV usually has them; the parser names only one."""
        read = self._columns(chunk, dict.fromkeys(places, pa.large_string()))
        return [place for place, column in read.items() if not plain_numbers(column, self._how)]

    def _columns(self, chunk: "_Chunk", kinds: dict[int, pa.DataType]) -> dict[int, pa.ChunkedArray]:
        """Parse the columns at the places of `kinds`."""
        # Names in the file may be empty or duplicated, so columns are addressed by position.
        every = [str(place) for place in range(len(self.names))]
        words = [*MISSING, *self._how.missing]
        try:
            table = pyarrow.csv.read_csv(
                pa.BufferReader(chunk.text),
                # One thread, since only then a parse error has its row; one block: a quoted cell may have newlines.
                read_options=pyarrow.csv.ReadOptions(
                    use_threads=False, block_size=len(chunk.text) + 1, column_names=every
                ),
                parse_options=pyarrow.csv.ParseOptions(
                    delimiter=self._how.separator, newlines_in_values=b'"' in chunk.text
                ),
                convert_options=pyarrow.csv.ConvertOptions(
                    include_columns=[every[place] for place in kinds],
                    column_types={every[place]: kind for place, kind in kinds.items()},
                    null_values=words,
                    decimal_point=self._how.decimal,
                ),
            )
        except pa.ArrowMemoryError:
            raise
        except pa.ArrowException as error:
            if "Empty CSV" in str(error):
                return {place: pa.chunked_array([], kind) for place, kind in kinds.items()}
            raise self._refused(error, chunk) from None
        return dict(zip(kinds, table.columns, strict=True))

    def _refused(self, error: pa.ArrowException, chunk: "_Chunk") -> Exception:
        message = str(error)
        if (found := re.match(r"In CSV column #([0-9]+): .*conversion error to double", message)) is not None:
            return _NotANumberError(int(found[1]))
        check_utf8(self.origin, chunk.text, chunk.offset)
        if found := re.search(r"Row #([0-9]+): Expected ([0-9]+) columns, got ([0-9]+)", message):
            row = chunk.first_row + int(found[1])
            return DataError(f"{self.origin}: row {row}: got {found[3]} cells, expected {found[2]} as in the header")
        return DataError(f"{self.origin}: is not a regular CSV: {one_line(error)}")


@dataclass(frozen=True, kw_only=True)
class _Chunk:
    """Whole records of a CSV, the offset of their first byte, and the row of the first one, counted from 0."""

    text: bytes
    offset: int
    first_row: int


class _NotANumberError(Exception):
    """A column has a cell that is not a number."""

    def __init__(self, place: int) -> None:
        super().__init__()
        self.place = place


def _head(source: CsvBytes, how: ReadOptions) -> bytes:
    """Return the first bytes of a file, with the whole header if it is not too long."""
    head = source.head()
    if len(head) < HEAD_BYTES or has_record(head, how.separator):
        return head
    return source.head(MAX_LINE_LENGTH + 1)


def _plain(column: pa.ChunkedArray) -> NDArray[np.float64] | None:
    """Return the numbers of a column; None if one is infinite or a NaN that was spelt out."""
    values: NDArray[np.float64] = column.to_numpy()
    with np.errstate(over="ignore", invalid="ignore"):
        if np.isfinite(values.sum()):
            return values
    odd = np.isinf(values).any() or int(np.isnan(values).sum()) != column.null_count
    return None if odd else values


def _check_zero(origin: str, chunk: bytes, offset: int) -> None:
    if (zero := chunk.find(b"\0")) >= 0:
        raise DataError(f"{origin}: has a zero byte at offset {offset + zero}, expected text; is it a binary file?")
