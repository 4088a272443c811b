"""Which columns of a table are used: those that were named. `linreg.reading.every_column` chooses all."""

import difflib
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from linreg.errors import DataError
from linreg.reading.cells import AS_FEATURE, is_boolean, may_hold_numbers
from linreg.reading.column_names import listed, short
from linreg.reading.options import ReadOptions
from linreg.reading.sources import Source

NOT_ASKED_FOR = "not among the features"
NO_VALUES = "has no values"
LEADING_ZEROS = "text with leading zeros, probably an id; choose it with --features"
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
        texts: names of features whose type is text, although all their cells are numbers, and that nobody named.
        booleans: names of features that hold true and false, to be used as 1 and 0.
        named: whether the features were requested by name.
    """

    features: tuple[str, ...]
    target: str | None
    left_out: tuple[LeftOut, ...]
    watched: tuple[str, ...] = ()
    texts: tuple[str, ...] = ()
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
            problem = problem_of(wrong_type(kind), asked=True, target=name == target)
            raise DataError(f"{source.origin}: column {name!r}: {problem}")
    unused = (name for place, name in enumerate(source.names) if place not in set(places))
    left_out = tuple(LeftOut(name=name, reason=reason_unread(source, name)) for name in unused)
    if not features:
        raise nothing_left(source, left_out)
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
            raise no_column(source, name)
        if there[name] > 1:
            raise DataError(f"{source.origin}: two columns are called {short(name)}; rename one")


def wrong_type(kind: pa.DataType) -> str:
    """Return what is wrong with a column whose type cannot hold numbers."""
    return f"is bool, not numbers{AS_FEATURE}" if pa.types.is_boolean(kind) else f"is {kind}, not numbers"


def way_out(*, asked: bool) -> str:
    """Return what can be done about a column that was not requested by name."""
    return "" if asked else "; correct it, or choose columns with --features"


def problem_of(problem: str, *, asked: bool, target: bool) -> str:
    """Return what is wrong with a column, and what can be done about it.

    Args:
        problem: what is wrong with its cells.
        asked: whether it was requested by name.
        target: whether it is the target, which --features cannot name.
    """
    if target:
        problem = problem.replace(AS_FEATURE, "; write the target as 1 and 0")
    way = way_out(asked=asked)
    if re.search("; (?:add|use) --", problem):
        way = way.replace("correct it", "or correct it")
    return problem + way


def _check_request(origin: str, features: tuple[str, ...], target: str | None) -> None:
    for name, count in Counter(features).items():
        if name == target:
            raise DataError(f"{origin}: the target {name!r} is among the features; leave it out of --features")
        if count > 1:
            raise DataError(f"{origin}: the feature {name!r} is named twice")


def no_rows(origin: str) -> DataError:
    """Return the error for a table to fit that has no rows."""
    return DataError(f"{origin}: has a header but 0 rows; expected at least 2")


def reason_unread(source: Source, name: str) -> str:
    """Return why a column is left out that was not looked at."""
    return STORED_INDEX if name in source.row_index else NOT_ASKED_FOR


def nothing_left(source: Source, left_out: Sequence[LeftOut]) -> DataError:
    """Return the error for a table without a column to predict from."""
    if not left_out:
        return DataError(
            f"{source.origin}: no numeric column is left for the features; got columns {listed(source.names)}; add one"
        )
    first, more = left_out[0], len(left_out) - 1
    return DataError(
        f"{source.origin}: no numeric column is left for the features: column {short(first.name)}: {first.reason}"
        + (f", and {more:,} more" if more else "")
    )


def no_column(source: Source, name: str) -> DataError:
    """Return the error for a name that no column has."""
    by_case = {other.casefold(): other for other in source.names}
    near = difflib.get_close_matches(name.casefold(), by_case, n=1)
    hint = f"did you mean {by_case[near[0]]!r}?" if near else f"expected one of {listed(source.names)}"
    if len(words := name.split()) > 1 and set(words) <= set(source.names):
        hint = f"separate names with commas: {','.join(words)}"
    elif whole := next((other for other in source.names if other.startswith(f"{name},")), None):
        hint = f"did you mean {short(whole)}? On the command line, double quotes keep the comma: '\"a,b\",c'"
    return DataError(f"{source.origin}: has no column {name!r}; {hint}")
