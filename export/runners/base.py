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
    """The autograd context of a call. It is entered once around many calls, or in each call for `-per-call` modes."""

    GRAD = "grad"
    NO_GRAD = "no_grad"
    NO_GRAD_PER_CALL = "no_grad-per-call"
    INFERENCE_MODE = "inference_mode"
    INFERENCE_MODE_PER_CALL = "inference_mode-per-call"


@dataclass(frozen=True, kw_only=True)
class Call:
    """A module or an artifact with its inputs bound to it, already on the device.

    Attributes:
        run: the function that is timed; call it inside `context()`.
        outputs: makes one more call, and returns copies of its results as arrays.
        context: returns the context manager in which to call `run`.
    """

    run: Callable[[], object]
    outputs: "Callable[[], tuple[Array, ...]]"
    context: Callable[[], AbstractContextManager[Any]]


@dataclass(frozen=True, kw_only=True)
class Runner:
    """A module or an artifact, loaded on a device.

    Attributes:
        name: the name used in messages.
        bind: takes one array per input, and returns a call.
        parameters: returns the weights in the file, by name.
        folds: the exporter may have folded a parameter into another, or left it out.
    """

    name: str
    bind: "Callable[[tuple[Array, ...]], Call]"
    parameters: "Callable[[], Mapping[str, Array]]"
    folds: bool = False
