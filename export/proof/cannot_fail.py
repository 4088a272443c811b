"""Find comparisons that cannot fail: outputs and inputs whose faults no case could show."""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from export.proof.oracle import Oracle
from linreg.errors import LinregError

Array = NDArray[Any]
Values = tuple[Array, ...]

SATURATED = 0.99
"""An output is saturated if at least this share of its elements keep their bits when all inputs are halved."""


def cannot_fail(oracle: Oracle, cases: Sequence[Values], scaled: Sequence[tuple[float, Values]]) -> tuple[str, ...]:
    """Describe the comparisons of a proof that hold for a wrong file too. Takes one run in float64 per case and input.

    Args:
        oracle: the oracle of the module.
        cases: the inputs of cases of random values; those of the last are also changed one by one.
        scaled: the inputs of one case for each scale of the random values.

    Returns:
        One sentence each; empty if there are none.
    """
    outputs = [oracle.exact(inputs) for inputs in cases]
    if not outputs:
        return ()
    names = oracle.source.output_names
    constant = [_constant([values[place] for values in outputs]) for place in range(len(names))]
    notes = [f"output {name!r} is {value} in every case" for name, value in zip(names, constant, strict=True) if value]
    moving = [place for place, value in enumerate(constant) if not value]
    if moving:
        notes += _ignored_inputs(oracle, cases[-1], outputs[-1])
        notes += _saturated(oracle, scaled, moving)
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


def _saturated(oracle: Oracle, scaled: Sequence[tuple[float, Values]], moving: list[int]) -> Iterator[str]:
    """The floating outputs that do not change when all floating inputs are halved."""
    for scale, inputs in scaled:
        halved = tuple(array / 2 if array.dtype.kind == "f" else array for array in inputs)
        if _same(inputs, halved):
            continue  # whole numbers only
        whole, half = _outputs(oracle, inputs), _outputs(oracle, halved)
        if whole is None or half is None:
            continue
        for place in moving:
            if _kept(whole[place], half[place]) >= SATURATED:
                yield f"output {oracle.source.output_names[place]!r} is saturated at scale {scale:g}"


def _kept(first: Array, second: Array) -> float:
    """The share of the elements of a floating output that are equal; 0 for other outputs."""
    if first.dtype.kind != "f" or not first.size or first.shape != second.shape:
        return 0.0
    return float(((first == second) | (np.isnan(first) & np.isnan(second))).mean())


def _outputs(oracle: Oracle, inputs: Values) -> Values | None:
    try:
        return oracle.exact(inputs)
    except LinregError:  # changed inputs that the module refuses
        return None


def _same(first: Values, second: Values | None) -> bool:
    return second is not None and all(a.tobytes() == b.tobytes() for a, b in zip(first, second, strict=True))
