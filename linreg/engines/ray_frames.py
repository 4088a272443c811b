"""What linreg's own processes send to each other over Ray: pickled calls, and results or failures."""

import pickle
from dataclasses import dataclass
from typing import Any

from linreg.errors import LinregError, one_line

END = b""
"""Ends a call: the caller wants no more of its results, and no more follow."""


@dataclass(frozen=True)
class Failure:
    """An exception that a call raised, instead of its result."""

    error: BaseException


def packed(value: Any) -> bytes:
    """Pickle a value."""
    return pickle.dumps(value, pickle.HIGHEST_PROTOCOL)


def packed_failure(error: BaseException) -> bytes:
    """Pickle an exception; one that cannot be read back is replaced by one with its name and message."""
    try:
        data = packed(Failure(error))
        load(data)
    except Exception:  # whatever the class of the exception does when it is pickled
        return packed(Failure(RuntimeError(f"{type(error).__name__}: {one_line(error)}")))
    return data


def failure(text: str) -> bytes:
    """Pickle the failure of a call that was not made, or whose worker is gone."""
    return packed(Failure(LinregError(text)))


def load(data: bytes) -> Any:
    """Return what a process of linreg has pickled."""
    return pickle.loads(data)
