"""Read the columns of a CSV file as text."""

import csv
import io
import re
from collections.abc import Iterator, Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.csv

from linreg.config import MAX_COLUMNS
from linreg.errors import DataError, one_line
from linreg.reading.cells import MISSING, NUMBER
from linreg.reading.column_names import listed, tidy
from linreg.reading.file_kinds import UTF_8_MARK

MAX_LINE_LENGTH = 2**24
"""Limit on the length of a line, so that its commas can be counted in little memory."""


class CsvColumns:
    """A CSV file whose header has been read.

    Attributes:
        names: normalised column names, in the order of the file; some may be empty or duplicated.
        row_index: names of pandas index columns; always empty, since a CSV does not record them.
    """

    row_index: frozenset[str] = frozenset()

    def __init__(self, path: Path, raw: bytes, wanted: Sequence[str] = ()) -> None:
        """Read the header, and check that every quote is closed.

        Args:
            path: the name used in messages.
            raw: the bytes of the file, unpacked.
            wanted: names of the columns to use; a first row that has all of them is a header even if it looks like
                numbers, as in the programs of deploy/.

        Raises:
            DataError: there is no header, or a quote is not closed.
        """
        self._path = path
        self._raw = raw
        self.names, self._header_bytes = _header(path, raw, wanted)

    def size(self, places: Sequence[int]) -> tuple[int, int, int]:
        """Return an upper bound on the rows, the number of columns, and the bytes needed to read those at `places`.

        The number counts all columns of the file, since all of them are parsed.
        """
        rows = max(self._raw.count(b"\n"), self._raw.count(b"\r"))
        # The parser holds 4 bytes per cell and one copy of the text; a column of text takes 8 more per cell.
        return rows, len(self.names), len(self._raw) + rows * (4 * len(self.names) + 8 * len(places))

    def read(self, places: Sequence[int]) -> Iterator[pa.ChunkedArray]:
        """Yield the columns at `places`, as text.

        Raises:
            DataError: a row has too few cells or too many, or a cell is not UTF-8.
        """
        columns = self._parse(places)
        while columns:
            yield columns.pop(0)  # drop the text, since its numbers replace it

    def _parse(self, places: Sequence[int]) -> list[pa.ChunkedArray]:
        # Names in the file may be empty or duplicated, so columns are addressed by position.
        every = [str(place) for place in range(len(self.names))]
        rows = pa.py_buffer(self._raw).slice(self._header_bytes)
        if not places:
            return []
        wanted = [every[place] for place in places]
        try:
            table = pyarrow.csv.read_csv(
                pa.BufferReader(rows),
                # One thread, since only then a parse error has its row; one block: a quoted cell may have newlines.
                read_options=pyarrow.csv.ReadOptions(
                    use_threads=False, block_size=min(len(rows) + 1, 2**31 - 1), column_names=every
                ),
                parse_options=pyarrow.csv.ParseOptions(newlines_in_values=True),
                convert_options=pyarrow.csv.ConvertOptions(
                    include_columns=wanted, column_types=dict.fromkeys(wanted, pa.large_string()), check_utf8=True
                ),
            )
        except pa.ArrowMemoryError:
            raise
        except pa.ArrowException as error:
            if "Empty CSV" in str(error):
                return [pa.chunked_array([], pa.large_string()) for _ in places]
            _check_utf8(self._path, self._raw)
            if found := re.search(r"Row #([0-9]+): Expected ([0-9]+) columns, got ([0-9]+)", str(error)):
                row, cells = found[1], found[3]
                raise DataError(
                    f"{self._path}: row {row}: got {cells} cells, expected {found[2]} as in the header"
                ) from None
            raise DataError(f"{self._path}: is not a regular CSV: {one_line(error)}") from None
        return list(table.columns)


def _header(path: Path, raw: bytes, wanted: Sequence[str]) -> tuple[list[str], int]:
    """Return the names in the first record and the offset where it ends, after checking that every quote is closed."""
    ends = [len(UTF_8_MARK) if raw.startswith(UTF_8_MARK) else 0]
    records = csv.reader(_lines(path, raw, ends), strict=True)
    row = 0
    try:
        header = next(record for record in records if record)
        end = ends[0]
        row = 1
        # After an unclosed quote, Arrow silently swallows the following rows as the text of one cell.
        for record in records if b'"' in raw else ():
            row += bool(record)
    except csv.Error as error:
        place = f"row {row}" if row else "its header"
        raise DataError(f"{path}: {place} cannot be read: {one_line(error)}; check its quotes") from None
    _check_utf8(path, raw[:end])
    if len(header) == 1 and (separator := next((sign for sign in ";\t|" if sign in header[0]), None)):
        raise DataError(f"{path}: looks separated by {separator!r}, expected commas; save it with commas")
    names = [tidy(name) for name in header]
    if wanted and set(wanted) <= set(names):
        return names, end
    if len(names) <= MAX_COLUMNS and any(names) and all(re.match(NUMBER, name) or name in MISSING for name in names):
        missing = f" that names {listed(wanted)}" if wanted else ""
        raise DataError(f"{path}: its first row is {listed(names)}, expected column names; add a header{missing}")
    return names, end


def _lines(path: Path, raw: bytes, ends: list[int]) -> Iterator[str]:
    """Yield the lines of a CSV with their line ends, and set `ends[0]` to the offset where the latest line ends."""
    # Columns that are not used may contain bytes that are not UTF-8.
    stream = io.TextIOWrapper(io.BytesIO(raw), encoding="utf-8-sig", errors="surrogateescape", newline="")
    names = True
    while line := stream.readline(MAX_LINE_LENGTH):
        if len(line) == MAX_LINE_LENGTH and line[-1] not in "\r\n":
            raise DataError(
                f"{path}: has a line of more than {MAX_LINE_LENGTH} characters, expected at most {MAX_COLUMNS} columns"
            )
        if names and '"' not in line and line.count(",") >= MAX_COLUMNS:
            raise DataError(f"{path}: has {line.count(',') + 1} columns, expected 1 to {MAX_COLUMNS}")
        names = names and not line.strip("\r\n")
        ends[0] += len(line.encode(errors="surrogateescape"))
        yield line


def _check_utf8(path: Path, raw: bytes) -> None:
    try:
        raw.decode()
    except UnicodeDecodeError as error:
        raise DataError(f"{path}: is not UTF-8 at byte {error.start}; save it again as 'CSV UTF-8'") from None
