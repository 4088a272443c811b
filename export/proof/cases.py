"""The inputs on which a file is verified."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from export.source.signature import flatten
from export.source.source import Source
from export.source.user_code import INTERRUPTIONS, described
from linreg.errors import ExportError

Array = NDArray[Any]

BATCHES = (1, 2, 7, 64, 4096)
SCALES = (1e-3, 1.0, 1e4)
MAX_ELEMENTS = 2**22
"""A module that is not affine skips batch 4096 if its inputs would have more elements than this."""

SEED = 20261123
FIXED_SHAPE = "use --static with a fixed shape, or check --input"
SPECIAL_VALUES = (np.nan, np.inf, -np.inf, 0.0, -0.0)


@dataclass(frozen=True, kw_only=True)
class Case:
    """The inputs of one call.

    Attributes:
        name: the name used in messages.
        inputs: one array per input of the module.
        scale: the standard deviation of the random values; None if the values are not random.
    """

    name: str
    inputs: tuple[Array, ...]
    scale: float | None = None


def judged_cases(source: Source, rows: Array | None = None) -> Iterator[Case]:
    """Yield the cases that every file must pass.

    The cases are random rows at every batch size and scale, and negated random rows at every batch size, so that a
    branch on the data is taken both ways. An affine module with a dynamic batch also gets a batch of 0, special rows,
    and one row per feature, because the bound for a sum over many features can hide an error in a single weight.

    Args:
        source: the module and its inputs.
        rows: the user's own rows, of shape (batch, ...), for a module with one input.

    Raises:
        ExportError: the module does not run at one of the batch sizes, or its inputs do not accept `rows`.
    """
    if source.affine is None:
        check_batches(source, batches(source))
    for batch in batches(source):
        for scale in SCALES:
            inputs = source.random_inputs(batch, scale, SEED + batch)
            yield Case(name=f"batch {batch}, scale {scale:g}", inputs=inputs, scale=scale)
        negated = tuple(
            -array if array.dtype.kind == "f" else array for array in source.random_inputs(batch, 1.0, SEED)
        )
        yield Case(name=f"batch {batch}, negated", inputs=negated, scale=1.0)
    if source.affine is not None and not source.static:
        yield Case(name="batch 0", inputs=source.random_inputs(0, 1.0, SEED))
        unit = np.eye(source.affine.weight.shape[1], dtype=source.affine.weight.dtype)
        yield Case(name="unit rows", inputs=(unit,))
        yield Case(name="unit rows times 1e4", inputs=(unit * unit.dtype.type(1e4),))
        yield special_case(source)
    if rows is not None:
        if len(source.inputs) != 1 or rows.ndim != len(source.inputs[0].shape) or source.static:
            raise ExportError(
                f"your rows have shape {rows.shape}, expected {[e.described()['shape'] for e in source.inputs]}"
            )
        yield Case(name="your rows", inputs=(rows.astype(source.inputs[0].dtype),))


def batches(source: Source) -> tuple[int, ...]:
    """Return the batch sizes to verify; a static module has only one, which the shapes of its inputs give."""
    if source.static:
        return (int(source.inputs[0].shape[0] or 1),)
    if source.affine is not None:
        return BATCHES
    return tuple(
        size for size in BATCHES if size < 4096 or sum(entry.elements(size) for entry in source.inputs) < MAX_ELEMENTS
    )


@lru_cache(maxsize=1)
def check_batches(source: Source, sizes: tuple[int, ...], remedy: str = FIXED_SHAPE) -> None:
    """Check that the module itself runs at every batch size at which its files are verified.

    Args:
        source: the module and its inputs.
        sizes: the batch sizes.
        remedy: the next step for the user, which ends the message.

    Raises:
        ExportError: the module fails; the message lists the batch sizes at which it does, and the reason for the first.
    """
    reasons = {size: reason for size in sizes if (reason := _why_not(source, size))}
    if reasons:
        first, *others = reasons
        also = f" (nor at {', '.join(map(str, others))})" if others else ""
        raise ExportError(f"the module does not run at batch {first}{also}: {reasons[first]}; {remedy}")


def _why_not(source: Source, batch: int) -> str:
    """Return why the module does not run at a batch size; '' if it does."""
    arguments = [torch.from_numpy(array) for array in source.random_inputs(batch, 1.0, SEED + batch)]
    try:
        with torch.inference_mode():
            flatten(source.module(*arguments))
    except INTERRUPTIONS:
        raise
    except BaseException as error:  # whatever a user's module raises
        return described(error)
    return ""


def special_case(source: Source) -> Case:
    """Return rows filled with a special value such as NaN, and rows of ones with a single special value.

    Every floating input gets such rows; all other inputs are 0.
    """
    inputs = []
    for entry in source.inputs:
        shape = tuple(1 if size is None else size for size in entry.shape[1:])
        if entry.dtype.kind != "f":
            inputs.append(np.full((2 * (len(SPECIAL_VALUES) + 3), *shape), entry.least, entry.dtype))
            continue
        limits = np.finfo(entry.dtype)
        values = np.array(
            [*SPECIAL_VALUES, float(limits.smallest_subnormal), float(limits.max), -float(limits.max)]
        ).reshape(-1, *[1] * len(shape))
        filled = np.broadcast_to(values, (len(values), *shape))
        single = np.ones(filled.shape)
        single.reshape(len(values), -1)[:, 0] = values.reshape(-1)
        inputs.append(np.concatenate([filled, single]).astype(entry.dtype))
    return Case(name="special rows", inputs=tuple(inputs))
