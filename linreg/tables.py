"""Tables: CSV (also gzip) and Parquet, read once into memory, their columns chosen by name.

What a file is, its first bytes decide, not its name. A CSV is read as text and only then turned into numbers, so that
a typo is reported with its row instead of turning a column into text in silence. Rows are counted from 1 after the
header, empty lines not counted.
"""

import csv
import difflib
import gzip
import io
import re
import unicodedata
import zlib
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv
import pyarrow.parquet
from numpy.typing import NDArray

from linreg.config import MAX_CELLS, MAX_COLUMNS, MAX_NAME_LENGTH, MAX_TABLE_BYTES
from linreg.errors import DataError, LinregError
from linreg.files import read_bytes, sha256

NUMBER = r"^[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?$"
INFINITE = r"^[+-]?(?i:inf|infinity)$"
MISSING = ("", "NA", "N/A", "#N/A", "n/a", "NaN", "nan", "-nan", "NULL", "null", "None")
EXACT_INTEGERS = 2.0**53


@dataclass(frozen=True, kw_only=True)
class LeftOut:
    """A column that is not used, and why."""

    name: str
    reason: str


@dataclass(frozen=True, kw_only=True)
class Table:
    """The used columns of a table.

    Attributes:
        features: float64, shape (complete rows, features).
        target: float64, shape (complete rows,); None where no target was asked for.
        feature_names: in the order of the columns of `features`.
        target_name: None where no target was asked for.
        complete: bool, shape (rows of the file,): False where a used column has no value.
        left_out: the columns not used.
        notes: what the user should know, a line each.
        sha256: of the file's bytes as they were read.
    """

    features: NDArray[np.float64]
    target: NDArray[np.float64] | None
    feature_names: tuple[str, ...]
    target_name: str | None
    complete: NDArray[np.bool_]
    left_out: tuple[LeftOut, ...]
    notes: tuple[str, ...]
    sha256: str


def read_table(path: Path, *, features: tuple[str, ...] | None, target: str | None) -> Table:
    """Read the columns `features` and `target` of a CSV or Parquet file.

    Args:
        path: the file; gzip is unpacked.
        features: column names in the wanted order; None takes every numeric column but the target.
        target: column name; None where only features are needed.

    Raises:
        DataError: the file is no table, a column is missing or named twice, or a used value is not a finite number.
    """
    target = None if target is None else _tidy(target)
    features = None if features is None else tuple(_tidy(name) for name in features)
    try:
        raw = read_bytes(path, limit=MAX_TABLE_BYTES)
    except LinregError as error:
        raise DataError(str(error)) from error
    columns = _columns(path, raw)
    if target is not None:
        _require(path, columns, target)
    if features is not None:
        _check_choice(path, columns, features, target)
    numbers, left_out = _choose(path, columns, features, target)
    chosen = tuple(name for name in numbers if name != target) if features is None else features
    if not chosen:
        raise DataError(f"{path}: no numeric column is left for the features; got columns {_listed(columns)}")
    used = np.stack([numbers[name] for name in (*chosen, *([target] if target else []))], axis=1)
    complete = np.asarray(~np.isnan(used).any(axis=1))
    kept = used if complete.all() else used[complete]
    return Table(
        features=np.ascontiguousarray(kept[:, : len(chosen)]),
        target=kept[:, -1].copy() if target is not None else None,
        feature_names=chosen,
        target_name=target,
        complete=complete,
        left_out=tuple(left_out),
        notes=tuple(_notes(numbers, complete)),
        sha256=sha256(raw),
    )


def _columns(path: Path, raw: bytes) -> dict[str, pa.ChunkedArray]:
    """The columns of the file by name; those of a CSV are text."""
    if raw[:2] == b"\x1f\x8b":
        raw = _unzip(path, raw)
    table = _read_parquet(path, raw) if raw[:4] == b"PAR1" else _read_csv(path, raw)
    if table.num_rows == 0:
        raise DataError(f"{path}: has a header but 0 rows; expected at least 2")
    return {_tidy(name): column for name, column in zip(table.column_names, table.columns, strict=True)}


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
        raise DataError(f"{path}: is gzip, but damaged: {_one_line(error)}; fetch the file again") from None
    return data.getvalue()


def _read_parquet(path: Path, raw: bytes) -> pa.Table:
    try:
        file = pyarrow.parquet.ParquetFile(pa.BufferReader(raw))
        _check_names(path, file.schema_arrow.names)
        _check_size(path, file.metadata.num_rows, len(file.schema_arrow.names))
        table = file.read()
        table.validate(full=True)
    except (pa.ArrowException, OSError, UnicodeDecodeError) as error:
        raise DataError(f"{path}: is Parquet, but cannot be read: {_one_line(error)}") from None
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
        raise DataError(f"{path}: is not a regular CSV: {_one_line(error)}") from None


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
        raise DataError(f"{path}: {place} cannot be read: {_one_line(error)}; look at its quotes") from None
    if len(header) == 1 and (separator := next((sign for sign in ";\t|" if sign in header[0]), None)):
        raise DataError(f"{path}: looks separated by {separator!r}, expected commas")
    if all(re.match(NUMBER, name) or name in MISSING for name in map(_tidy, header)) and any(header):
        raise DataError(f"{path}: its first row is {_listed(header)}, expected column names; add a header")
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
    for place, name in enumerate(map(_tidy, names), start=1):
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


def _tidy(name: str) -> str:
    return unicodedata.normalize("NFC", name).strip()


def _require(path: Path, columns: dict[str, pa.ChunkedArray], name: str) -> None:
    if name not in columns:
        by_case = {other.casefold(): other for other in columns}
        near = difflib.get_close_matches(name.casefold(), by_case, n=1)
        hint = f"did you mean {by_case[near[0]]!r}?" if near else f"expected one of {_listed(columns)}"
        raise DataError(f"{path}: has no column {name!r}; {hint}")


def _check_choice(
    path: Path, columns: dict[str, pa.ChunkedArray], features: tuple[str, ...], target: str | None
) -> None:
    for name, count in Counter(features).items():
        _require(path, columns, name)
        if name == target:
            raise DataError(f"{path}: the target {name!r} is among the features; leave it out of --features")
        if count > 1:
            raise DataError(f"{path}: the feature {name!r} is named twice")


def _choose(
    path: Path, columns: dict[str, pa.ChunkedArray], features: tuple[str, ...] | None, target: str | None
) -> tuple[dict[str, NDArray[np.float64]], list[LeftOut]]:
    """Numbers by column name, NaN for a missing value, and the columns left out."""
    numbers: dict[str, NDArray[np.float64]] = {}
    left_out: list[LeftOut] = []
    wanted = {*(features or ()), target}
    for name, column in columns.items():
        asked = name in wanted
        if not asked and features is not None:
            left_out.append(LeftOut(name=name, reason="not among the features"))
            continue
        values, problem, typo = _numbers(column)
        if problem and (asked or typo):
            raise DataError(
                f"{path}: column {name!r}: {problem}"
                + ("" if asked else "; mend it, or choose columns with --features")
            )
        if problem:
            left_out.append(LeftOut(name=name, reason=problem))
            continue
        infinite = np.isinf(values)
        if infinite.any():
            row = int(infinite.argmax())
            value = _short(str(column[row].as_py()))
            raise DataError(f"{path}: column {name!r}: row {row + 1} is {value}, expected a finite number")
        numbers[name] = values
    return numbers, left_out


def _numbers(column: pa.ChunkedArray) -> tuple[NDArray[np.float64], str, bool]:
    """The column as float64, or what is wrong with it and whether most of it is numbers all the same."""
    kind = column.type
    nothing = np.empty(0)
    if pa.types.is_dictionary(kind):
        column, kind = column.cast(kind.value_type), kind.value_type
    if pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind):
        return _numbers_of_text(column.cast(pa.large_string()))
    if pa.types.is_null(kind):
        return nothing, "has no values", False
    if not (pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind)):
        return nothing, f"is {kind}, not numbers", False
    if pa.types.is_decimal(kind):
        column = column.cast(pa.large_string())  # the way to the nearest float64: a direct cast rounds twice
    values = column.cast(pa.float64(), safe=False).to_numpy(zero_copy_only=False).astype(np.float64)
    return (nothing, "has no values", False) if np.isnan(values).all() else (values, "", False)


def _numbers_of_text(column: pa.ChunkedArray) -> tuple[NDArray[np.float64], str, bool]:
    text = pc.utf8_trim_whitespace(column)
    missing = pc.is_in(text, pa.array((*MISSING, None), text.type))
    good = pc.or_(pc.match_substring_regex(text, NUMBER), pc.match_substring_regex(text, INFINITE))
    fine = pc.fill_null(pc.or_(missing, good), True).to_numpy()
    if not fine.all():
        row = int(fine.argmin())
        value = column[row].as_py()
        comma = re.fullmatch(r"\s*[+-]?[0-9]+(,[0-9]+)+(\.[0-9]+)?\s*", value)
        hint = "; write 1.5 for one and a half, and 1000 for a thousand" if comma else ""
        present = len(fine) - (pc.sum(missing).as_py() or 0)
        typo = int((~fine).sum()) * 2 < present
        return np.empty(0), f"row {row + 1} is {_short(value)}, not a number{hint}", typo
    if pc.all(missing).as_py():
        return np.empty(0), "has no values", False
    values = pc.if_else(missing, pa.scalar(None, text.type), pc.utf8_ltrim(text, characters="+"))
    return values.cast(pa.float64()).to_numpy(zero_copy_only=False), "", False


def _notes(numbers: dict[str, NDArray[np.float64]], complete: NDArray[np.bool_]) -> list[str]:
    notes = []
    dropped = int((~complete).sum())
    if dropped:
        notes.append(f"{dropped} of {len(complete)} rows have no value in a used column and are left out")
    for name, values in numbers.items():
        if np.nanmax(np.abs(values)) >= EXACT_INTEGERS:
            notes.append(f"column {name!r} has values of 2^53 or more, where float64 rounds whole numbers")
    return notes


def _listed(names: dict[str, pa.ChunkedArray] | list[str]) -> str:
    shown = [_short(name) for name in list(names)[:8]]
    return ", ".join(shown) + (f" and {len(names) - 8} more" if len(names) > 8 else "")


def _short(value: str) -> str:
    return repr(value if len(value) <= 40 else value[:37] + "...")


def _one_line(error: BaseException) -> str:
    return " ".join(str(error).split())[:200] or type(error).__name__
