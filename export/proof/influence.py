"""What the outputs prove about a tensor that is not in a file: would a small fault in it have been seen?"""

from collections.abc import Iterator, Mapping, Sequence
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
        unproved: keys of tensors in which it does not.
        without_influence: keys of tensors that no output depends on.
    """

    covered: tuple[str, ...] = ()
    unproved: tuple[str, ...] = ()
    without_influence: tuple[str, ...] = ()


def coverage(oracle: Oracle, cases: Sequence[ProvedCase], keys: Sequence[str]) -> Coverage:
    """Change tensors in the float64 oracle, and see whether the outputs of proved cases show it.

    A small fault is one element times 1.001, or the whole tensor rounded to float16: both must be seen.
    """
    tried = [key for key in keys if cases and oracle.can_change(key)]
    befores = [oracle.outputs_with(inputs, {}) for inputs, _ in cases] if tried else []
    influential = _influential(oracle, cases, befores, tried) if tried else []
    covered = [
        key
        for key in influential
        if all(_is_seen(oracle, cases, befores, {key: fault}) for fault in _faults(oracle.wide_tensor(key)))
    ]
    return Coverage(
        covered=tuple(covered),
        unproved=tuple(key for key in keys if key not in tried or (key in influential and key not in covered)),
        without_influence=tuple(key for key in tried if key not in influential),
    )


def _influential(
    oracle: Oracle, cases: Sequence[ProvedCase], befores: Sequence[tuple[Array, ...]], keys: list[str]
) -> list[str]:
    """The keys that outputs depend on; all are changed at once, and halves of them only if that is seen."""
    tensors = {key: oracle.wide_tensor(key) for key in keys}
    changes = [{key: change(value) for key, value in tensors.items()} for change in (_moved, _invalid)]
    if not any(_differs(oracle, cases, befores, change) for change in changes):
        return []
    if len(keys) == 1:
        return keys
    half = len(keys) // 2
    return _influential(oracle, cases, befores, keys[:half]) + _influential(oracle, cases, befores, keys[half:])


def _differs(
    oracle: Oracle,
    cases: Sequence[ProvedCase],
    befores: Sequence[tuple[Array, ...]],
    changed: Mapping[str, Tensor],
) -> bool:
    """Whether any bit of an output changes."""
    for (inputs, _), before in zip(cases, befores, strict=True):
        try:
            after = oracle.outputs_with(inputs, changed)
        except LinregError:  # an index out of range, for example
            return True
        if any(new.tobytes() != old.tobytes() for new, old in zip(after, before, strict=True)):
            return True
    return False


def _is_seen(
    oracle: Oracle,
    cases: Sequence[ProvedCase],
    befores: Sequence[tuple[Array, ...]],
    changed: Mapping[str, Tensor],
) -> bool:
    """Whether an output leaves its allowed error."""
    for (inputs, expected), before in zip(cases, befores, strict=True):
        try:
            after = oracle.outputs_with(inputs, changed)
        except LinregError:
            return True
        for new, old, wanted in zip(after, before, expected, strict=True):
            with np.errstate(invalid="ignore"):
                allowed = wanted.allowed if new.dtype.kind == "f" else 0
                if new.shape != old.shape or bool((np.abs(new * 1.0 - old * 1.0) > allowed).any()):
                    return True
    return False


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
