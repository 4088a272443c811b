"""Find comparisons that cannot fail: outputs and inputs whose faults no case could show."""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from export.proof.oracle import Oracle
from linreg.errors import LinregError

Array = NDArray[Any]
Values = tuple[Array, ...]
Answered = tuple[Values, Values]
"""Inputs and outputs."""

SATURATED = 0.99
"""An output is saturated if at least this share of its elements keep their bits when all inputs are halved."""


def cannot_fail(oracle: Oracle, cases: Sequence[Answered], large: Values) -> tuple[str, ...]:
    """Describe the comparisons of a proof that hold for a wrong file too. Takes a few runs of few rows in float64.

    Args:
        oracle: the oracle of the module.
        cases: the inputs of cases of random values at scale 1, and the outputs in float64.
        large: the inputs of a case at the largest scale.

    Returns:
        One sentence each; empty if there are none.
    """
    if not cases:
        return ()
    names = oracle.source.output_names
    constant = [_constant([outputs[place] for _, outputs in cases]) for place in range(len(names))]
    notes = [f"output {name!r} is {value} in every case" for name, value in zip(names, constant, strict=True) if value]
    moving = [place for place, value in enumerate(constant) if not value]
    if moving:
        several = next((case for case in cases if len(case[0][0]) > 1), cases[0])
        notes += _ignored_inputs(oracle, *several)
        notes += [f"output {names[place]!r} is saturated" for place in _saturated(oracle, *several, moving)]
        answers = _outputs(oracle, large)
        if answers is not None and not _same(large, several[0]):
            at_large = _saturated(oracle, large, answers, moving)
            notes += [f"output {names[place]!r} is saturated at the largest scale" for place in at_large]
    return tuple(notes)


def _constant(values: list[Array]) -> str:
    """The one value that an output has in all cases; '' if it has several, or a single element in all."""
    elements = np.concatenate([array.reshape(-1) for array in values])
    if elements.size < 2 or elements.tobytes() != np.broadcast_to(elements[:1], elements.shape).tobytes():
        return ""
    return f"{elements[0]:g}" if elements.dtype.kind == "f" else str(elements[0])


def _ignored_inputs(oracle: Oracle, inputs: Values, before: Values) -> Iterator[str]:
    for place, entry in enumerate(oracle.source.inputs):
        changed = _changed(inputs[place])
        if changed is not None and _same(before, _outputs(oracle, (*inputs[:place], changed, *inputs[place + 1 :]))):
            yield f"no output depends on input {entry.name!r}"


def _changed(array: Array) -> Array | None:
    """Other values that the input accepts too: its rows in another order, or its elements; None if all are equal."""
    rolled = np.roll(array.reshape(-1), 1).reshape(array.shape)
    candidates = [array[::-1], rolled] if array.ndim else []
    if array.dtype.kind == "f":
        candidates.append(array * array.dtype.type(1.5) + array.dtype.type(0.5))
    for changed in candidates:
        if not np.array_equal(changed, array, equal_nan=array.dtype.kind == "f"):
            return np.ascontiguousarray(changed)
    return None


def _saturated(oracle: Oracle, inputs: Values, whole: Values, places: list[int]) -> list[int]:
    """The places of floating outputs that do not change when all floating inputs are halved."""
    halved = tuple(array / 2 if array.dtype.kind == "f" else array for array in inputs)
    half = None if _same(inputs, halved) else _outputs(oracle, halved)
    return [] if half is None else [place for place in places if _kept(whole[place], half[place]) >= SATURATED]


def _kept(first: Array, second: Array) -> float:
    """The share of the elements of a floating output that are equal; 0 for other outputs."""
    if first.dtype.kind != "f" or not first.size or first.shape != second.shape:
        return 0.0
    return float(((first == second) | (np.isnan(first) & np.isnan(second))).mean())


def _outputs(oracle: Oracle, inputs: Values) -> Values | None:
    try:
        return oracle.float64.outputs(inputs)
    except LinregError:  # changed inputs that the module refuses
        return None


def _same(first: Values, second: Values | None) -> bool:
    return second is not None and all(a.tobytes() == b.tobytes() for a, b in zip(first, second, strict=True))
