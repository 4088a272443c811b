"""The columns of a CSV (also gzip) or Parquet file, by name.

What a file is, its first bytes decide, not its name.
"""

import csv
import gzip
import io
import re
import unicodedata
import zlib
from pathlib import Path

import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet

from linreg.config import MAX_CELLS, MAX_COLUMNS, MAX_NAME_LENGTH, MAX_TABLE_BYTES
from linreg.errors import DataError, one_line

NUMBER = r"^[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?$"
MISSING = ("", "NA", "N/A", "#N/A", "n/a", "NaN", "nan", "-nan", "NULL", "null", "None")


def read_columns(path: Path, raw: bytes) -> dict[str, pa.ChunkedArray]:
    """The columns of a file by name; those of a CSV are text.

    Args:
        path: for messages.
        raw: the bytes of the file; gzip is unpacked.

    Raises:
        DataError: they are no table, or its names are missing, repeated or too many.
    """
    if raw[:2] == b"\x1f\x8b":
        raw = _unzip(path, raw)
    table = _read_parquet(path, raw) if raw[:4] == b"PAR1" else _read_csv(path, raw)
    return {tidy(name): column for name, column in zip(table.column_names, table.columns, strict=True)}


def _unzip(path: Path, raw: bytes) -> bytes:
    data = io.BytesIO()
    try:
        with gzip.GzipFile(fileobj=io.BytesIO(raw)) as stream:
            while chunk := stream.read(2**24):
                data.write(chunk)
                if data.tell() > MAX_TABLE_BYTES:
                    raise DataError(
                        f"{path}: unpacks to more than {MAX_TABLE_BYTES} bytes, the limit; read a part of it"
                    )
    except EOFError:
        raise DataError(f"{path}: is gzip, but cut off; fetch the file again") from None
    except (OSError, zlib.error) as error:
        raise DataError(f"{path}: is gzip, but damaged: {one_line(error)}; fetch the file again") from None
    return data.getvalue()


def _read_parquet(path: Path, raw: bytes) -> pa.Table:
    try:
        file = pyarrow.parquet.ParquetFile(pa.BufferReader(raw))
        _check_names(path, file.schema_arrow.names)
        _check_size(path, file.metadata.num_rows, len(file.schema_arrow.names))
        table = file.read()
        table.validate(full=True)
    except (pa.ArrowException, OSError, UnicodeDecodeError) as error:
        raise DataError(f"{path}: is Parquet, but cannot be read: {one_line(error)}") from None
    return table


def _read_csv(path: Path, raw: bytes) -> pa.Table:
    header = _header(path, raw)
    _check_names(path, header)
    _check_size(path, max(raw.count(b"\n"), raw.count(b"\r")), len(header))
    try:
        return pyarrow.csv.read_csv(
            io.BytesIO(raw),
            # One thread, since only then a parse error has its row; one block, since a quoted cell may have newlines.
            read_options=pyarrow.csv.ReadOptions(use_threads=False, block_size=min(len(raw) + 1, 2**31 - 1)),
            parse_options=pyarrow.csv.ParseOptions(newlines_in_values=True),
            convert_options=pyarrow.csv.ConvertOptions(
                include_columns=header, column_types=dict.fromkeys(header, pa.large_string()), check_utf8=True
            ),
        )
    except pa.ArrowException as error:
        _check_utf8(path, raw)
        if "Empty CSV" in str(error):
            raise DataError(f"{path}: has a header but 0 rows; expected at least 2") from None
        if found := re.search(r"Row #([0-9]+): Expected ([0-9]+) columns, got ([0-9]+)", str(error)):
            row, cells = int(found[1]) - 1, found[3]
            raise DataError(f"{path}: row {row}: got {cells} cells, expected {found[2]} as in the header") from None
        raise DataError(f"{path}: is not a regular CSV: {one_line(error)}") from None


def _header(path: Path, raw: bytes) -> list[str]:
    """The first record of a CSV, after a look at what the file may be instead, and at its quotes."""
    start = raw[:512].removeprefix(b"\xef\xbb\xbf").lstrip()
    if not start:
        raise DataError(f"{path}: is empty, expected a CSV or Parquet table")
    if raw[:2] in (b"\xff\xfe", b"\xfe\xff"):
        raise DataError(f"{path}: is UTF-16, expected UTF-8; save it again as 'CSV UTF-8'")
    if (zero := raw.find(b"\0")) >= 0:
        raise DataError(f"{path}: has a zero byte at offset {zero}, expected text; is it a binary file?")
    if start[:1] == b"<" or start.startswith(b"version https://git-lfs"):
        raise DataError(f"{path}: is {'HTML or XML' if start[:1] == b'<' else 'a Git LFS pointer'}, expected a CSV")
    records = csv.reader(io.TextIOWrapper(io.BytesIO(raw), encoding="utf-8-sig", newline=""), strict=True)
    row = 0
    try:
        header = next(record for record in records if record)
        row = 1
        # Where a quote is not closed, Arrow takes the rows that follow for text of one cell and loses them in silence.
        for record in records if b'"' in raw else ():
            row += bool(record)
    except UnicodeDecodeError:
        _check_utf8(path, raw)
        raise
    except csv.Error as error:
        place = f"row {row}" if row else "its header"
        raise DataError(f"{path}: {place} cannot be read: {one_line(error)}; look at its quotes") from None
    if len(header) == 1 and (separator := next((sign for sign in ";\t|" if sign in header[0]), None)):
        raise DataError(f"{path}: looks separated by {separator!r}, expected commas")
    if all(re.match(NUMBER, name) or name in MISSING for name in map(tidy, header)) and any(header):
        raise DataError(f"{path}: its first row is {listed(header)}, expected column names; add a header")
    return header


def _check_utf8(path: Path, raw: bytes) -> None:
    try:
        raw.decode()
    except UnicodeDecodeError as error:
        raise DataError(f"{path}: is not UTF-8 at byte {error.start}; save it again as 'CSV UTF-8'") from None


def _check_names(path: Path, names: list[str]) -> None:
    if not 1 <= len(names) <= MAX_COLUMNS:
        raise DataError(f"{path}: has {len(names)} columns, expected 1 to {MAX_COLUMNS}")
    seen = set()
    for place, name in enumerate(map(tidy, names), start=1):
        if not name:
            raise DataError(f"{path}: column {place} has no name; name it (pandas: write with index=False)")
        if len(name) > MAX_NAME_LENGTH:
            raise DataError(f"{path}: the name of column {place} has {len(name)} characters, at most {MAX_NAME_LENGTH}")
        if name in seen:
            raise DataError(f"{path}: two columns are called {name!r}; rename one")
        seen.add(name)


def _check_size(path: Path, rows: int, columns: int) -> None:
    if rows * columns > MAX_CELLS:
        raise DataError(f"{path}: has {rows} rows of {columns} columns, expected at most {MAX_CELLS} cells")


def tidy(name: str) -> str:
    """A name as it is compared: NFC, without spaces around."""
    return unicodedata.normalize("NFC", name).strip()


def listed(names: dict[str, pa.ChunkedArray] | list[str]) -> str:
    """The first names, for a message."""
    shown = [short(name) for name in list(names)[:8]]
    return ", ".join(shown) + (f" and {len(names) - 8} more" if len(names) > 8 else "")


def short(value: str) -> str:
    """A value from a file, quoted, its control characters shown, and cut at 40."""
    return repr(value if len(value) <= 40 else value[:37] + "...")
