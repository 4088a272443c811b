"""Choose all columns of a table that hold numbers, except the target."""

from collections.abc import Iterator

import numpy as np
import pyarrow as pa

from linreg.config import MAX_NAME_LENGTH
from linreg.errors import DataError
from linreg.reading.cells import Cells, is_text, leading_zero, may_hold_numbers, read_cells
from linreg.reading.choice import (
    LEADING_ZEROS,
    NO_VALUES,
    Choice,
    LeftOut,
    no_column,
    no_rows,
    nothing_left,
    problem_of,
    reason_unread,
    wrong_type,
)
from linreg.reading.column_names import short
from linreg.reading.options import ReadOptions
from linreg.reading.sources import Source

PANDAS_UNNAMED = "Unnamed: 0"
"""What pandas calls an unnamed first column of a CSV, which usually is the row index of a table that it wrote."""
COUNTS_ROWS = "counts the rows, like an index that pandas wrote; choose it with --features"


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
        problem = NO_VALUES if pa.types.is_null(kind) else wrong_type(kind)
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
        elif _is_typed_text(source, place) and source.names[place] != target and leading_zero(column):
            reasons[place] = LEADING_ZEROS
        elif rows and (np.isnan(cells.values).all() or _counts(source, place, target, cells, 0)):
            pending.append(place)
    _settle(source, pending, target, how, reasons)
    left_out = tuple(_left_out(source, places, reasons))
    kept = [source.names[place] for place in places if place not in reasons and source.names[place] != target]
    if not kept:
        raise nothing_left(source, left_out)
    return Choice(
        features=tuple(kept),
        target=target,
        left_out=left_out,
        watched=tuple(watched),
        texts=tuple(name for name in kept if _is_typed_text(source, source.names.index(name))),
        named=False,
    )


def _is_typed_text(source: Source, place: int) -> bool:
    """Return whether a column is text by its type, not just because a CSV has no types."""
    kind = source.kind(place)
    return source.typed and is_text(kind.value_type if pa.types.is_dictionary(kind) else kind)


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
        problem = problem_of(cells.problem, asked=name == target, target=name == target)
        raise DataError(f"{source.origin}: column {name!r}: {problem}")
    reasons[place] = cells.problem


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
        raise no_column(source, target)
    return places


def _check_rows(source: Source, target: str | None) -> None:
    if target is not None:
        raise no_rows(source.origin)


def _left_out(source: Source, places: list[int], reasons: dict[int, str]) -> Iterator[LeftOut]:
    read = set(places)
    for place, name in enumerate(source.names):
        if place in reasons:
            yield LeftOut(name=name, reason=reasons[place])
        elif place not in read:
            yield LeftOut(name=name, reason=reason_unread(source, name))
