"""What the outputs prove about a tensor that is not in a file: would a small fault in it have been seen?"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from export.proof.comparison import ExpectedOutput
from export.proof.oracle import Oracle
from linreg.errors import LinregError

Array = NDArray[Any]
ProvedCase = tuple[tuple[Array, ...], tuple[ExpectedOutput, ...]]
"""The inputs of a case, and its expected outputs."""


@dataclass(frozen=True, kw_only=True)
class Coverage:
    """What the outputs of the proved cases say about tensors.

    Attributes:
        covered: keys of tensors in which a small fault moves an output beyond its allowed error.
        unproved: keys of tensors in which it does not, or which were not tried.
        without_influence: keys of tensors that no output depends on.
        not_tried: how many of `unproved` were left out to stay within the budget.
    """

    covered: tuple[str, ...] = ()
    unproved: tuple[str, ...] = ()
    without_influence: tuple[str, ...] = ()
    not_tried: int = 0


def coverage(
    oracle: Oracle, cases: Sequence[ProvedCase], keys: Sequence[str], affords: Callable[[], bool] = lambda: True
) -> Coverage:
    """Change tensors in the float64 oracle, and see whether the outputs of proved cases show it.

    A small fault is one element times 1.001, or the whole tensor rounded to float16: both must be seen.

    Args:
        oracle: the oracle of the module.
        cases: what was proved.
        keys: keys of the state_dict.
        affords: whether another tensor may be tried.
    """
    outputs = _Outputs(oracle, cases)
    tried = [key for key in keys if cases and oracle.float64.can_change(key)]
    influential = _influential(outputs, tried, affords) if tried else []
    covered, untried = list[str](), 0
    for key in influential:
        if not affords():
            untried += 1
        elif all(outputs.leave_bounds({key: fault}) for fault in _faults(oracle.float64.tensor(key))):
            covered.append(key)
    return Coverage(
        covered=tuple(covered),
        unproved=tuple(key for key in keys if key not in tried or (key in influential and key not in covered)),
        without_influence=tuple(key for key in tried if key not in influential),
        not_tried=untried,
    )


class _Outputs:
    """The outputs of proved cases, with and without a change in tensors of the state_dict."""

    def __init__(self, oracle: Oracle, cases: Sequence[ProvedCase]) -> None:
        self.oracle = oracle
        self._cases = [(inputs, expected, oracle.float64.outputs(inputs)) for inputs, expected in cases]

    def differ(self, changed: Mapping[str, Tensor]) -> bool:
        """Whether any bit of an output changes."""
        return self._any(changed, lambda new, old, _: new.tobytes() != old.tobytes())

    def leave_bounds(self, changed: Mapping[str, Tensor]) -> bool:
        """Whether an output leaves its allowed error."""
        return self._any(changed, _leaves)

    def _any(self, changed: Mapping[str, Tensor], seen: Callable[[Array, Array, ExpectedOutput], bool]) -> bool:
        for inputs, expected, before in self._cases:
            try:
                after = self.oracle.float64.outputs_with(inputs, changed)
            except LinregError:  # an index out of range, for example
                return True
            if any(map(seen, after, before, expected)):
                return True
        return False


def _leaves(new: Array, old: Array, wanted: ExpectedOutput) -> bool:
    with np.errstate(invalid="ignore"):
        allowed = wanted.allowed if new.dtype.kind == "f" else 0
        return new.shape != old.shape or bool((np.abs(new * 1.0 - old * 1.0) > allowed).any())


def _influential(outputs: _Outputs, keys: list[str], affords: Callable[[], bool]) -> list[str]:
    """The keys that outputs may depend on; all are changed at once, and halves of them only if that is seen."""
    if not affords():
        return keys
    tensors = {key: outputs.oracle.float64.tensor(key) for key in keys}
    if not any(outputs.differ({key: change(value) for key, value in tensors.items()}) for change in (_moved, _invalid)):
        return []
    if len(keys) == 1:
        return keys
    half = len(keys) // 2
    return _influential(outputs, keys[:half], affords) + _influential(outputs, keys[half:], affords)


def _moved(value: Tensor) -> Tensor:
    if value.dtype is torch.bool:
        return ~value
    return value * 1.5 + 0.5 if value.is_floating_point() or value.is_complex() else value + 1


def _invalid(value: Tensor) -> Tensor:
    floating = value.is_floating_point() or value.is_complex()
    return torch.full_like(value, torch.nan) if floating else torch.zeros_like(value)


def _faults(value: Tensor) -> Iterator[Tensor]:
    """Small faults in a tensor that has elements."""
    one = value.clone().contiguous()
    flat = one.view(-1)
    if value.is_floating_point() or value.is_complex():
        place = int(flat.abs().argsort()[flat.numel() // 2])  # neither the largest nor one close to 0
        flat[place] = flat[place] * 1.001 if flat[place] else 1e-3
        yield one
        rounded = value.half().to(value.dtype) if value.is_floating_point() else value
        if not torch.equal(rounded, value):
            yield rounded
    else:
        flat[0] = ~flat[0] if value.dtype is torch.bool else flat[0] + 1
        yield one
