"""Tables: CSV (also gzip) and Parquet, read once into memory, their columns chosen by name.

A CSV is read as text and only then turned into numbers, so that
a typo is reported with its row instead of turning a column into text in silence. Rows are counted from 1 after the
header, empty lines not counted.
"""

import difflib
import re
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv
import pyarrow.parquet
from numpy.typing import NDArray

from linreg.columns import MISSING, NUMBER, listed, read_columns, short, tidy
from linreg.config import MAX_TABLE_BYTES
from linreg.errors import DataError, LinregError
from linreg.files import read_bytes, sha256

INFINITE = r"^[+-]?(?i:inf|infinity)$"
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
    target = None if target is None else tidy(target)
    features = None if features is None else tuple(tidy(name) for name in features)
    try:
        raw = read_bytes(path, limit=MAX_TABLE_BYTES)
    except LinregError as error:
        raise DataError(str(error)) from error
    columns = read_columns(path, raw)
    if target is not None and not len(next(iter(columns.values()))):
        raise DataError(f"{path}: has a header but 0 rows; expected at least 2")
    if target is not None:
        _require(path, columns, target)
    if features is not None:
        _check_choice(path, columns, features, target)
    numbers, left_out = _choose(path, columns, features, target)
    chosen = tuple(name for name in numbers if name != target) if features is None else features
    if not chosen:
        raise DataError(f"{path}: no numeric column is left for the features; got columns {listed(columns)}")
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


def _require(path: Path, columns: dict[str, pa.ChunkedArray], name: str) -> None:
    if name not in columns:
        by_case = {other.casefold(): other for other in columns}
        near = difflib.get_close_matches(name.casefold(), by_case, n=1)
        hint = f"did you mean {by_case[near[0]]!r}?" if near else f"expected one of {listed(columns)}"
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
            value = short(str(column[row].as_py()))
            raise DataError(f"{path}: column {name!r}: row {row + 1} is {value}, expected a finite number")
        numbers[name] = values
    return numbers, left_out


def _numbers(column: pa.ChunkedArray) -> tuple[NDArray[np.float64], str, bool]:
    """The column as float64, or what is wrong with it and whether most of it is numbers all the same."""
    kind = column.type
    nothing = np.empty(0)
    if not len(column):
        return nothing, "", False
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
        return np.empty(0), f"row {row + 1} is {short(value)}, not a number{hint}", typo
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
        if np.nanmax(np.abs(values), initial=0) >= EXACT_INTEGERS:
            notes.append(f"column {name!r} has values of 2^53 or more, where float64 rounds whole numbers")
    return notes
