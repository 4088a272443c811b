"""Check the values that the public Python functions are given."""

import os
from collections.abc import Mapping
from enum import StrEnum
from numbers import Integral, Real
from pathlib import Path
from typing import Any, TypeVar

from linreg.errors import DataError, LinregError

Choice = TypeVar("Choice", bound=StrEnum)

_WHOLE = ("epochs", "batch_size", "test_every", "seed")


def as_path(argument: str, value: object) -> Path:
    """Return the path that an argument names.

    Raises:
        LinregError: the value is not a path.
    """
    if not isinstance(value, str | os.PathLike):
        raise LinregError(f"{argument}: got {type(value).__name__}, expected a path")
    return Path(value)


def as_texts(argument: str, values: object) -> tuple[str, ...]:
    """Return the texts that an argument gives, either one text or a list of texts.

    Raises:
        LinregError: the value is neither a text nor a list of texts.
    """
    if isinstance(values, str):
        return (values,)
    if not isinstance(values, list | tuple):
        raise LinregError(f"{argument}: got {type(values).__name__}, expected a text or a list of texts")
    if wrong := [value for value in values if not isinstance(value, str)]:
        raise LinregError(f"{argument}: got a list with {type(wrong[0]).__name__}, expected texts")
    return tuple(values)


def check_name(argument: str, name: object) -> None:
    """Refuse the name of a column that is not text."""
    if name is not None and not isinstance(name, str):
        hint = "" if isinstance(name, int) else "; pass two arrays as one pair: fit((X, y))"
        raise DataError(f"{argument}: got {type(name).__name__}, expected the name of a column{hint}")


def as_names(argument: str, names: Any) -> tuple[str, ...] | None:
    """Return the column names that an argument gives, or None if it was not given."""
    if names is None:
        return None
    if isinstance(names, str):
        raise DataError(f"{argument}: got {names!r}, expected a list of column names: [{names!r}]")
    try:
        found = tuple(names)
    except TypeError:
        raise DataError(f"{argument}: got {type(names).__name__}, expected a list of column names") from None
    for name in found:
        if not isinstance(name, str):
            raise DataError(f"{argument}: got {str(name)[:60]} in the list, expected column names, which are text")
    return found


def check_numbers(options: Mapping[str, object]) -> None:
    """Refuse values that are not numbers; `training.check_settings` checks the ranges."""
    for name, value in options.items():
        kind, expected = (Integral, "a whole number") if name in _WHOLE else (Real, "a number")
        if value is not None and (isinstance(value, bool) or not isinstance(value, kind)):
            raise LinregError(f"{name}: got {value!r}, expected {expected}")


def as_choice(name: str, kind: type[Choice], value: str | None) -> Choice | None:
    """Return the member of an enumeration that a text names, or None if it was not given."""
    if value is None:
        return None
    try:
        return kind(value)
    except ValueError:
        raise LinregError(f"{name}: got {str(value)[:60]!r}, expected one of {', '.join(kind)}") from None


def refuse(why: str, **options: object) -> None:
    """Raise LinregError for the first option that was given but does not apply."""
    for name, value in options.items():
        if value is not None:
            raise LinregError(f"{name}: got {str(value)[:60]!r}, but {why}")
