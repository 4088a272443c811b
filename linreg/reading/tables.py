"""Read tables: CSV (also gzip), Parquet or any Arrow table in memory, with columns chosen by name.

A CSV is read as text and only then turned into numbers, so that a typo is reported with its row instead of silently
turning a column into text. Rows are counted from 1 after the header; empty lines are not counted.
"""

import json
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from linreg.config import MAX_TABLE_BYTES
from linreg.errors import DataError, LinregError
from linreg.files import read_bytes, sha256
from linreg.reading.arrow_columns import ArrowColumns, ArrowStream
from linreg.reading.cells import Cells, read_cells
from linreg.reading.column_names import listed, short, tidy
from linreg.reading.columns import Columns, check_size, open_columns, places_of_all, places_of_named

NOT_ASKED_FOR = "not among the features"
EXACT_INTEGERS = 2.0**53
PANDAS_UNNAMED = "Unnamed: 0"
"""What pandas calls an unnamed first column of a CSV, which usually is the row index of a table that it wrote."""


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
        target: float64, shape (complete rows,); None if no target was requested.
        values: float64, shape (rows of the table, features), NaN if there is no value.
        feature_names: in the order of the columns of `features`.
        target_name: None if no target was requested.
        complete: bool, shape (rows of the table,): False if a used column has no value.
        left_out: the columns that are not used, and why.
        notes: what the user should know, one line each.
        sha256: SHA-256 of the file's bytes; for a table in memory, `values_sha256` of the used columns.
    """

    features: NDArray[np.float64]
    target: NDArray[np.float64] | None
    values: NDArray[np.float64]
    feature_names: tuple[str, ...]
    target_name: str | None
    complete: NDArray[np.bool_]
    left_out: tuple[LeftOut, ...]
    notes: tuple[str, ...]
    sha256: str


def read_table(data: Path | ArrowStream, *, features: tuple[str, ...] | None, target: str | None) -> Table:
    """Read the columns `features` and `target` of a table; other columns are not parsed.

    Args:
        data: a CSV or Parquet file (gzip is unpacked), or a table in memory that exports an Arrow stream.
        features: column names in the wanted order; None uses every numeric column except the target and
            the row index of pandas.
        target: column name; None if only features are needed. A feature may then have no value in any row.

    Raises:
        DataError: the data are not a table, a column is missing or named twice, a used value is not a finite number, or
            there is not enough memory.
    """
    target = None if target is None else tidy(target)
    features = None if features is None else tuple(tidy(name) for name in features)
    if not isinstance(data, Path):
        origin = type(data).__name__
        return _table(origin, ArrowColumns(origin, data), features, target, digest=None)
    try:
        raw = read_bytes(data, limit=MAX_TABLE_BYTES)
    except LinregError as error:
        raise DataError(str(error)) from error
    wanted = () if features is None else features if target is None else (*features, target)
    return _table(str(data), open_columns(data, raw, wanted), features, target, digest=sha256(raw))


def values_sha256(names: Sequence[str], values: NDArray[np.float64]) -> str:
    """Return the SHA-256 of numbers in memory: of their names as a JSON list, then the rows as little-endian float64.

    Args:
        names: one name for each column: the features in their order, then the target.
        values: shape (rows, columns); all NaNs give the same bytes.
    """
    same = np.where(np.isnan(values), np.nan, values).astype("<f8")
    return sha256(json.dumps(list(names)).encode() + same.tobytes())


def _table(
    origin: str, columns: Columns, features: tuple[str, ...] | None, target: str | None, *, digest: str | None
) -> Table:
    if features is None:
        places = places_of_all(origin, columns, target)
    else:
        _check_choice(origin, features, target)
        places = places_of_named(origin, columns, features if target is None else (*features, target))
    check_size(origin, columns, places)
    numbers, left_out = _choose(origin, columns, places, features, target)
    chosen = tuple(name for name in numbers if name != target) if features is None else features
    if not chosen:
        raise _nothing_left(origin, columns, left_out)
    names = (*chosen, *([target] if target else []))
    used = np.stack([numbers[name] for name in names], axis=1)
    notes = _notes(numbers)
    del numbers
    complete = np.asarray(~np.isnan(used).any(axis=1))
    if dropped := int((~complete).sum()):
        notes.insert(0, f"{dropped} of {len(complete)} rows have no value in a used column and are left out")
    kept = used if complete.all() else used[complete]
    return Table(
        features=np.ascontiguousarray(kept[:, : len(chosen)]),
        target=kept[:, -1].copy() if target is not None else None,
        values=used[:, : len(chosen)],
        feature_names=chosen,
        target_name=target,
        complete=complete,
        left_out=tuple(left_out),
        notes=tuple(notes),
        sha256=values_sha256(names, used) if digest is None else digest,
    )


def _check_choice(origin: str, features: tuple[str, ...], target: str | None) -> None:
    for name, count in Counter(features).items():
        if name == target:
            raise DataError(f"{origin}: the target {name!r} is among the features; leave it out of --features")
        if count > 1:
            raise DataError(f"{origin}: the feature {name!r} is named twice")


def _nothing_left(origin: str, columns: Columns, left_out: list[LeftOut]) -> DataError:
    if not left_out:
        return DataError(
            f"{origin}: no numeric column is left for the features; got columns {listed(columns.names)}; add one"
        )
    first, more = left_out[0], len(left_out) - 1
    return DataError(
        f"{origin}: no numeric column is left for the features: column {short(first.name)}: {first.reason}"
        + (f", and {more:,} more" if more else "")
    )


def _choose(
    origin: str, columns: Columns, places: list[int], features: tuple[str, ...] | None, target: str | None
) -> tuple[dict[str, NDArray[np.float64]], list[LeftOut]]:
    """Return the numbers by column name, with NaN for a missing value, and the columns left out."""
    numbers: dict[str, NDArray[np.float64]] = {}
    reasons: dict[int, str] = {}
    wanted = {*(features or ()), target}
    for place, column in zip(places, columns.read(places), strict=True):
        name = columns.names[place]
        asked = name in wanted
        cells = read_cells(column)
        if cells.values is not None and len(cells.values) == 0 and target is not None:
            raise DataError(f"{origin}: has a header but 0 rows; expected at least 2")
        if cells.values is None or (cells.problem and not (asked and target is None)):
            _refuse_numbers(origin, name, cells, asked=asked)
            reasons[place] = cells.problem
            continue
        infinite = np.isinf(cells.values)
        if infinite.any():
            row = int(infinite.argmax())
            value = short(str(column[row].as_py()))
            raise DataError(f"{origin}: column {name!r}: row {row + 1} is {value}, expected a finite number")
        if name == PANDAS_UNNAMED and not asked and np.array_equal(cells.values, np.arange(len(cells.values))):
            reasons[place] = "counts the rows, like an index that pandas wrote; choose it with --features"
            continue
        numbers[name] = cells.values
    return numbers, list(_left_out(columns, places, reasons))


def _refuse_numbers(origin: str, name: str, cells: Cells, *, asked: bool) -> None:
    """Raise an error if the column cannot be left out: it was requested, or is meant to hold numbers."""
    if asked or cells.numeric:
        way_out = "" if asked else "; correct it, or choose columns with --features"
        raise DataError(f"{origin}: column {name!r}: {cells.problem}{way_out}")


def _left_out(columns: Columns, places: list[int], reasons: dict[int, str]) -> Iterator[LeftOut]:
    read = set(places)
    for place, name in enumerate(columns.names):
        if place in reasons:
            yield LeftOut(name=name, reason=reasons[place])
        elif place not in read:
            index = name in columns.row_index
            reason = "is the row index that pandas stored; choose it with --features" if index else ""
            yield LeftOut(name=name, reason=reason or NOT_ASKED_FOR)


def _notes(numbers: dict[str, NDArray[np.float64]]) -> list[str]:
    rounded = [name for name, values in numbers.items() if np.nanmax(np.abs(values), initial=0) >= EXACT_INTEGERS]
    if not rounded:
        return []
    subject = f"column {rounded[0]!r} has" if len(rounded) == 1 else f"columns {listed(rounded)} have"
    return [f"{subject} values of 2^53 or more, where float64 rounds whole numbers"]
