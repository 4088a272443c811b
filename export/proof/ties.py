"""The whole numbers that a runtime may return where values tie: the labels of topk, argmax, sort, max and min.

A label is right if the value that it names has the expected rank within the error allowed for these values. Ranks move
no further than the values that are ranked, so two labels tie if their values are at most twice that error apart. Other
whole numbers, such as a label plus one, may be what a perturbed run of the oracle returned at the same place.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from export.proof.allowed_error import measured_output
from export.proof.alternatives import Alternatives, Ranking
from linreg.errors import InexactError

Array = NDArray[Any]

aten = torch.ops.aten
LABELLING = (aten.topk, aten.sort, aten.argmax, aten.argmin, aten.max, aten.min)


@dataclass(frozen=True, kw_only=True, eq=False)
class Choice:
    """One call of an operator that returns labels.

    Attributes:
        labels: what it returned.
        values: what it ranked.
        axis: the axis of `values` along which it ranked.
        keeps_axis: whether `labels` has that axis.
    """

    labels: Tensor
    values: Tensor
    axis: int
    keeps_axis: bool


class Choices(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Record every call of an operator that returns labels."""

    supports_higher_order_operators = True

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._found: list[Choice] = []

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        del types
        result = func(*args, **(kwargs or {}))
        if getattr(func, "overloadpacket", None) in LABELLING:
            named = {entry.name: entry.default_value for entry in func._schema.arguments if entry.has_default_value()}
            named |= dict(zip([entry.name for entry in func._schema.arguments], args, strict=False)) | (kwargs or {})
            labels = result[-1] if isinstance(result, tuple) else result
            if "dim" in named and labels.dtype == torch.int64 and named.get("sorted", True):
                self._add(labels, named["self"], named["dim"], named.get("keepdim", True))
        return result

    def _add(self, labels: Tensor, values: Tensor, axis: int | None, keeps_axis: bool) -> None:
        if axis is None:
            values, axis, keeps_axis = values.reshape(-1), 0, False
        if values.ndim:
            self._found.append(Choice(labels=labels, values=values, axis=axis % values.ndim, keeps_axis=keeps_axis))

    def behind(self, outputs: tuple[Array, ...]) -> tuple[Choice | None, ...]:
        """The call that returned each output, if there is one."""
        return tuple(
            next((choice for choice in self._found if _same(choice.labels, output)), None) for output in outputs
        )


class Ties:
    """Collects, over the runs of an oracle with equal inputs, what may stand in the place of whole numbers.

    Args:
        eager: the outputs of the module.
    """

    def __init__(self, eager: tuple[Array, ...]) -> None:
        self._eager = eager
        self._whole = [place for place, array in enumerate(eager) if array.dtype.kind != "f"]
        self._runs: list[tuple[tuple[Choice | None, ...], tuple[Array, ...]]] = []

    def run(self, answers: Callable[[], tuple[Array, ...]]) -> tuple[Array, ...]:
        """Return the outputs of a run. The runs must be that of the module, that in float64, and the perturbed ones."""
        if not self._whole:
            return answers()
        with Choices() as choices:
            outputs = answers()
        self._runs.append((choices.behind(outputs), tuple(outputs[place] for place in self._whole)))
        return outputs

    def alternatives(self, unit: float) -> dict[int, Alternatives]:
        """What may stand in the place of each output, by its place; only for outputs where anything else may.

        Args:
            unit: the unit of rounding of the module's arithmetic.
        """
        found = {}
        for number, place in enumerate(self._whole):
            choices = [run[0][place] for run in self._runs]
            known = [choice for choice in choices if choice is not None]
            samples = tuple(run[1][number] for run in self._runs[1:])
            ranking = _ranking(known, unit) if len(known) == len(choices) else None
            alternatives = Alternatives(ranking=ranking, samples=samples)
            if alternatives.places(self._eager[place]).any():
                found[place] = alternatives
        return found


def _ranking(choices: list[Choice], unit: float) -> Ranking | None:
    """The values behind labels, and how far apart they may be and still tie; None if too little is known about them."""
    eager, exact, *perturbed = choices
    wide = exact.values.numpy()
    if any(choice.values.shape != wide.shape for choice in choices):
        return None
    moved = np.zeros(wide.shape)
    for choice in perturbed:
        with np.errstate(invalid="ignore"):
            distance = np.abs(choice.values.numpy() - wide)
        moved = np.maximum(moved, np.where(np.isfinite(distance), distance, 0.0))
    try:
        allowed = measured_output("values", _narrow(eager.values), wide, moved, 0.0, unit=unit, advice="").allowed
    except InexactError:
        return None
    largest = np.fmax.reduce(allowed, axis=exact.axis, keepdims=True, initial=0.0)
    return Ranking(
        values=wide, reach=2 * largest, labels=exact.labels.numpy(), axis=exact.axis, keeps_axis=exact.keeps_axis
    )


def _same(labels: Tensor, output: Array) -> bool:
    return labels.data_ptr() == output.ctypes.data and labels.shape == output.shape


def _narrow(tensor: Tensor) -> Array:
    """An array of the module's own dtype; float32 for bfloat16, whose coarser unit is known to the caller."""
    narrow: Array = (tensor.float() if tensor.dtype is torch.bfloat16 else tensor).numpy()
    return narrow
