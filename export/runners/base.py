"""Bind inputs to a module or an artifact once, then call it as often as needed.

Verification and benchmark use the same calls.
"""

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[Any]


class CallMode(StrEnum):
    """The context of a call; `ambient` modes enter theirs once around many calls, the others inside each."""

    GRAD = "grad"
    NO_GRAD = "no_grad"
    NO_GRAD_PER_CALL = "no_grad-per-call"
    INFERENCE_MODE = "inference_mode"
    INFERENCE_MODE_PER_CALL = "inference_mode-per-call"


@dataclass(frozen=True, kw_only=True)
class Call:
    """A runner with its inputs already on the device.

    Attributes:
        run: what is timed; to be called inside `context()`.
        outputs: calls once more and fetches the results as arrays.
        context: the ambient context of `run`.
    """

    run: Callable[[], object]
    outputs: "Callable[[], tuple[Array, ...]]"
    context: Callable[[], AbstractContextManager[Any]]


@dataclass(frozen=True, kw_only=True)
class Runner:
    """Something that answers.

    Attributes:
        name: for people.
        bind: takes one array an input, gives a call.
        parameters: reads the weights in the file, by name.
        folds: the format may hold a parameter in another form, or not at all.
    """

    name: str
    bind: "Callable[[tuple[Array, ...]], Call]"
    parameters: "Callable[[], Mapping[str, Array]]"
    folds: bool = False
