"""Choose the columns of a table by name, or all that hold numbers."""

import difflib
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from linreg.config import MAX_NAME_LENGTH
from linreg.errors import DataError
from linreg.reading.cells import Cells, is_boolean, may_hold_numbers, read_cells
from linreg.reading.column_names import listed, short
from linreg.reading.options import ReadOptions
from linreg.reading.sources import Source

NOT_ASKED_FOR = "not among the features"
PANDAS_UNNAMED = "Unnamed: 0"
"""What pandas calls an unnamed first column of a CSV, which usually is the row index of a table that it wrote."""
NO_VALUES = "has no values"
COUNTS_ROWS = "counts the rows, like an index that pandas wrote; choose it with --features"
STORED_INDEX = "is the row index that pandas stored; choose it with --features"


@dataclass(frozen=True, kw_only=True)
class LeftOut:
    """A column that is not used, and why."""

    name: str
    reason: str


@dataclass(frozen=True, kw_only=True)
class Choice:
    """The columns that are used.

    Attributes:
        features: their names, in the order of the columns of a block.
        target: name of the target; None if none was requested.
        left_out: the columns that are not used, and why.
        watched: names of columns that were left out as text by their first rows. If a number turns up in one of them
            later, the table is refused, so that no typo turns a column of numbers into text.
        booleans: names of features that hold true and false, to be used as 1 and 0.
        named: whether the features were requested by name.
    """

    features: tuple[str, ...]
    target: str | None
    left_out: tuple[LeftOut, ...]
    watched: tuple[str, ...] = ()
    booleans: frozenset[str] = frozenset()
    named: bool

    @property
    def used(self) -> tuple[str, ...]:
        """The names of the columns of a block."""
        return self.features if self.target is None else (*self.features, self.target)


def choose_named(source: Source, features: tuple[str, ...], target: str | None, how: ReadOptions) -> Choice:
    """Choose columns by name; the names and types of the others do not matter.

    Raises:
        DataError: a column is missing or duplicated, or cannot hold numbers.
    """
    _check_request(source.origin, features, target)
    names = features if target is None else (*features, target)
    check_named(source, names)
    places = [source.names.index(name) for name in names]
    booleans = _booleans(source, places[: len(features)], how)
    for name, place in zip(names, places, strict=True):
        kind = source.kind(place)
        if not may_hold_numbers(kind) and place not in booleans:
            raise DataError(f"{source.origin}: column {name!r}: is {kind}, not numbers")
    unused = (name for place, name in enumerate(source.names) if place not in set(places))
    left_out = tuple(LeftOut(name=name, reason=_reason_unread(source, name)) for name in unused)
    if not features:
        raise _nothing_left(source, left_out)
    return Choice(
        features=features,
        target=target,
        left_out=left_out,
        booleans=frozenset(source.names[place] for place in booleans),
        named=True,
    )


def _booleans(source: Source, places: Sequence[int], how: ReadOptions) -> set[int]:
    """Return which columns hold true and false: of a CSV by its first rows, otherwise by type."""
    if not source.typed and places:
        first = next(source.batches(places), None)
        columns = first.columns if first else []
        return {
            place
            for place, column in zip(places, columns, strict=False)
            if not isinstance(column, np.ndarray) and is_boolean(column, how)
        }
    return {place for place in places if pa.types.is_boolean(source.kind(place))}


def check_named(source: Source, names: Sequence[str]) -> None:
    """Check that columns can be found by name.

    Raises:
        DataError: a name is missing or duplicated.
    """
    there = Counter(source.names)
    for name in names:
        if not there[name]:
            raise _no_column(source, name)
        if there[name] > 1:
            raise DataError(f"{source.origin}: two columns are called {short(name)}; rename one")


def choose_all(source: Source, target: str | None, how: ReadOptions) -> Choice:
    """Choose all columns that hold numbers, except the target and the row index of pandas.

    Columns are judged by the first rows; only those without a value there are searched further.

    Raises:
        DataError: a name is empty, too long or duplicated; the target is missing; a column has numbers and other text;
            or no column of numbers is left.
    """
    places = _places_of_all(source, target)
    reasons: dict[int, str] = {}
    watched, pending = [], []
    typed = [place for place in places if not may_hold_numbers(kind := source.kind(place)) or pa.types.is_null(kind)]
    for place in typed:
        kind = source.kind(place)
        problem = NO_VALUES if pa.types.is_null(kind) else _of_type(kind)
        _leave_out(source, place, Cells(values=None, problem=problem, numeric=False), target, reasons)
    open_places = [place for place in places if place not in reasons]
    first = next(source.batches(open_places), None) if open_places else None
    rows = first.rows if first else 0
    if first is None or not rows:
        _check_rows(source, target)
    for place, column in zip(open_places, first.columns if first else [], strict=False):
        cells = read_cells(column, how=how)
        if cells.values is None:
            _leave_out(source, place, cells, target, reasons)
            watched.append(source.names[place])
        elif rows and (np.isnan(cells.values).all() or _counts(source, place, target, cells, 0)):
            pending.append(place)
    _settle(source, pending, target, how, reasons)
    left_out = tuple(_left_out(source, places, reasons))
    kept = [source.names[place] for place in places if place not in reasons and source.names[place] != target]
    if not kept:
        raise _nothing_left(source, left_out)
    return Choice(features=tuple(kept), target=target, left_out=left_out, watched=tuple(watched), named=False)


def _settle(source: Source, pending: list[int], target: str | None, how: ReadOptions, reasons: dict[int, str]) -> None:
    """Search the columns that have no value so far, or that count the rows so far, to their end."""
    open_places = dict.fromkeys(pending, True)
    empty = dict.fromkeys(pending, True)
    if not pending:
        return
    for batch in source.batches(pending) if source.repeatable else ():
        for place, column in zip(pending, batch.columns, strict=True):
            if place not in open_places:
                continue
            cells = read_cells(column, how=how, first_row=batch.first_row)
            if cells.values is None:
                _leave_out(source, place, cells, target, reasons)
                del open_places[place]
                continue
            if not np.isnan(cells.values).all():
                empty[place] = False
            if not empty[place] and not _counts(source, place, target, cells, batch.first_row):
                del open_places[place]
        if not open_places:
            return
    for place in open_places:
        if empty[place]:
            _leave_out(source, place, Cells(values=None, problem=NO_VALUES, numeric=False), target, reasons)
        else:
            reasons[place] = COUNTS_ROWS


def _counts(source: Source, place: int, target: str | None, cells: Cells, first_row: int) -> bool:
    """Return whether a column called as pandas calls an unnamed index counts the rows."""
    name = source.names[place]
    if name != PANDAS_UNNAMED or name == target or cells.values is None:
        return False
    return np.array_equal(cells.values, np.arange(first_row, first_row + len(cells.values)))


def _leave_out(source: Source, place: int, cells: Cells, target: str | None, reasons: dict[int, str]) -> None:
    """Note why a column is left out.

    Raises:
        DataError: it is the target, or is meant to hold numbers.
    """
    name = source.names[place]
    if name == target or cells.numeric:
        raise DataError(f"{source.origin}: column {name!r}: {cells.problem}{way_out(asked=name == target)}")
    reasons[place] = cells.problem


def way_out(*, asked: bool) -> str:
    """Return what can be done about a column that was not requested by name."""
    return "" if asked else "; correct it, or choose columns with --features"


def _of_type(kind: pa.DataType) -> str:
    if pa.types.is_boolean(kind):
        return "is bool, not numbers; name it in --features to use it as 0 and 1"
    return f"is {kind}, not numbers"


def _places_of_all(source: Source, target: str | None) -> list[int]:
    """Return the positions of all columns except the index that pandas stored."""
    places = [place for place, name in enumerate(source.names) if name == target or name not in source.row_index]
    seen = set()
    for place in places:
        name = source.names[place]
        if not name:
            raise DataError(
                f"{source.origin}: column {place + 1} has no name; name it (pandas: write with index=False), "
                "or choose columns with --features"
            )
        if len(name) > MAX_NAME_LENGTH:
            raise DataError(
                f"{source.origin}: the name of column {place + 1} has {len(name)} characters, at most {MAX_NAME_LENGTH}"
            )
        if name in seen:
            raise DataError(
                f"{source.origin}: two columns are called {short(name)}; rename one, or choose others with --features"
            )
        seen.add(name)
    if target is not None and target not in seen:
        raise _no_column(source, target)
    return places


def _check_request(origin: str, features: tuple[str, ...], target: str | None) -> None:
    for name, count in Counter(features).items():
        if name == target:
            raise DataError(f"{origin}: the target {name!r} is among the features; leave it out of --features")
        if count > 1:
            raise DataError(f"{origin}: the feature {name!r} is named twice")


def _check_rows(source: Source, target: str | None) -> None:
    if target is not None:
        raise no_rows(source.origin)


def no_rows(origin: str) -> DataError:
    """Return the error for a table to fit that has no rows."""
    return DataError(f"{origin}: has a header but 0 rows; expected at least 2")


def _left_out(source: Source, places: list[int], reasons: dict[int, str]) -> Iterator[LeftOut]:
    read = set(places)
    for place, name in enumerate(source.names):
        if place in reasons:
            yield LeftOut(name=name, reason=reasons[place])
        elif place not in read:
            yield LeftOut(name=name, reason=_reason_unread(source, name))


def _reason_unread(source: Source, name: str) -> str:
    return STORED_INDEX if name in source.row_index else NOT_ASKED_FOR


def _nothing_left(source: Source, left_out: Sequence[LeftOut]) -> DataError:
    if not left_out:
        return DataError(
            f"{source.origin}: no numeric column is left for the features; got columns {listed(source.names)}; add one"
        )
    first, more = left_out[0], len(left_out) - 1
    return DataError(
        f"{source.origin}: no numeric column is left for the features: column {short(first.name)}: {first.reason}"
        + (f", and {more:,} more" if more else "")
    )


def _no_column(source: Source, name: str) -> DataError:
    by_case = {other.casefold(): other for other in source.names}
    near = difflib.get_close_matches(name.casefold(), by_case, n=1)
    hint = f"did you mean {by_case[near[0]]!r}?" if near else f"expected one of {listed(source.names)}"
    if len(words := name.split()) > 1 and set(words) <= set(source.names):
        hint = f"separate names with commas: {','.join(words)}"
    return DataError(f"{source.origin}: has no column {name!r}; {hint}")
