"""Read the header of a CSV."""

import csv
import io
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from linreg.config import MAX_COLUMNS
from linreg.errors import DataError, one_line
from linreg.reading.cells import MISSING, NUMBER
from linreg.reading.column_names import listed, tidy
from linreg.reading.csv_chunks import MAX_LINE_LENGTH
from linreg.reading.file_kinds import UTF_8_MARK
from linreg.reading.options import ReadOptions


@dataclass(frozen=True, kw_only=True)
class Header:
    """The first record of a CSV.

    Attributes:
        names: normalised column names; some may be empty or duplicated.
        own_names: the names as they stand in the file.
        end: offset of the first byte after the record.
    """

    names: list[str]
    own_names: list[str]
    end: int


def read_header(name: str, head: bytes, how: ReadOptions, wanted: Sequence[str]) -> Header:
    """Read the column names.

    Args:
        name: what messages call the file.
        head: the first bytes of the file; more than its first record.
        how: how the cells are written.
        wanted: names of the columns to use, if they are known.

    Raises:
        DataError: the first record is not a header.
    """
    ends = [len(UTF_8_MARK) if head.startswith(UTF_8_MARK) else 0]
    try:
        records = csv.reader(_lines(name, head, ends, how.separator), strict=True, delimiter=how.separator)
        own_names = next((record for record in records if record), [])
    except csv.Error as error:
        raise DataError(f"{name}: its header cannot be read: {one_line(error)}; check its quotes") from None
    end = ends[0]
    check_utf8(name, head[:end])
    if len(own_names) == 1 and (sign := next((sign for sign in ";\t|," if sign in own_names[0]), None)):
        expected = "commas" if how.separator == "," else repr(how.separator)
        raise DataError(f"{name}: looks separated by {sign!r}, expected {expected}; add --delimiter {_quoted(sign)}")
    names = [tidy(own) for own in own_names]
    if not 1 <= len(names) <= MAX_COLUMNS:
        raise DataError(f"{name}: has {len(names)} columns, expected 1 to {MAX_COLUMNS}")
    header = Header(names=names, own_names=own_names, end=end)
    if wanted and set(wanted) <= set(names):
        return header
    if any(names) and all(re.match(NUMBER, own) or own in MISSING for own in names):
        missing = f" that names {listed(wanted)}" if wanted else ""
        raise DataError(f"{name}: its first row is {listed(names)}, expected column names; add a header{missing}")
    return header


def check_utf8(name: str, text: bytes, offset: int = 0) -> None:
    """Check that bytes are UTF-8.

    Args:
        name: what messages call the file.
        text: the bytes.
        offset: their place in the file.

    Raises:
        DataError: they are not.
    """
    try:
        text.decode()
    except UnicodeDecodeError as error:
        raise DataError(f"{name}: is not UTF-8 at byte {offset + error.start}; save it again as 'CSV UTF-8'") from None


def _quoted(sign: str) -> str:
    return "$'\\t'" if sign == "\t" else f"'{sign}'"


def _lines(name: str, head: bytes, ends: list[int], delimiter: str) -> Iterator[str]:
    """Yield the lines with their line ends, and set `ends[0]` to the offset where the latest line ends."""
    # Columns that are not used may have names that are not UTF-8.
    stream = io.TextIOWrapper(io.BytesIO(head), encoding="utf-8-sig", errors="surrogateescape", newline="")
    while line := stream.readline(MAX_LINE_LENGTH):
        if len(line) == MAX_LINE_LENGTH and line[-1] not in "\r\n":
            raise DataError(
                f"{name}: has a line of more than {MAX_LINE_LENGTH} characters, expected at most {MAX_COLUMNS} columns"
            )
        if '"' not in line and line.count(delimiter) >= MAX_COLUMNS:
            raise DataError(f"{name}: has {line.count(delimiter) + 1} columns, expected 1 to {MAX_COLUMNS}")
        ends[0] += len(line.encode(errors="surrogateescape"))
        yield line
