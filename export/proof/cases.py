"""The inputs on which a file is verified."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from export.proof.memory import LIMIT_BYTES, bytes_per_row
from export.source.signature import flatten
from export.source.source import Source
from export.source.user_code import INTERRUPTIONS, described
from linreg.errors import ExportError

Array = NDArray[Any]

BATCHES = (1, 2, 7, 64, 4096)
SCALES = (1e-3, 1.0, 1e4)
LEAST_SIZES = 3
"""A module that is not affine is verified at this many batch sizes, whatever the budget."""

LARGE_BATCH = 4096
"""This batch size and larger ones come last."""

LARGE_AFFINE = 2**26
"""An affine map with so many weights is proved on a part of its unit rows, and within a limit of memory. Its weights
are compared bit for bit in any case."""

UNIT_ROWS = 64

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


@dataclass(frozen=True, kw_only=True)
class PlannedCase:
    """A case whose inputs are not made yet.

    Attributes:
        name: that of the case.
        rows: its batch size.
        least: it is tried whatever it costs.
        make: makes the case.
    """

    name: str
    rows: int
    least: bool
    make: Callable[[], Case]


def judged_cases(source: Source, rows: Array | None = None) -> Iterator[Case]:
    """Yield the cases of `planned_cases` that need at most `LIMIT_BYTES`.

    Raises:
        ExportError: the module does not run at one of the batch sizes, or its inputs do not accept `rows`.
    """
    if source.affine is None:
        check_batches(source, batches(source))
    for planned in planned_cases(source, rows, batches(source)):
        yield planned.make()


def planned_cases(source: Source, rows: Array | None, sizes: tuple[int, ...]) -> list[PlannedCase]:
    """List the cases that a file must pass, in the order in which they are tried.

    Random rows of all batch sizes and scales, and their negation, so that a branch on the data is taken both ways. For
    an affine module also batch 0, one row for each feature (a bound over many features hides the error of one weight),
    and special rows. For any other module the cases that prove most come first: three batch sizes and the user's rows,
    which are the least, then other scales, negation and large batches.

    Args:
        source: the module and its inputs.
        rows: the user's own rows, of shape (batch, ...), for a module with one input.
        sizes: the batch sizes.

    Raises:
        ExportError: `rows` do not fit the input of the module.
    """
    affine = source.affine is not None
    cases = [
        case for size in sizes for case in _random_cases(source, size, least=affine or size in sizes[:LEAST_SIZES])
    ]
    if affine and not source.static:
        cases += _affine_cases(source)
    if rows is not None:
        if len(source.inputs) != 1 or rows.ndim != len(source.inputs[0].shape) or source.static:
            raise ExportError(
                f"your rows have shape {rows.shape}, expected {[e.described()['shape'] for e in source.inputs]}"
            )
        own = Case(name="your rows", inputs=(rows.astype(source.inputs[0].dtype),))
        cases.append(PlannedCase(name=own.name, rows=len(rows), least=True, make=lambda: own))
    return cases if affine else sorted(cases, key=lambda case: (not case.least, case.rows >= LARGE_BATCH))


def _random_cases(source: Source, size: int, *, least: bool) -> list[PlannedCase]:
    """The cases of one batch size. Whole numbers have no scale, so they are tried once, and once with other values."""
    affine, floating = source.affine is not None, any(entry.dtype.kind == "f" for entry in source.inputs)

    def of_scale(scale: float) -> PlannedCase:
        name = f"batch {size}, scale {scale:g}"

        def make() -> Case:
            return Case(name=name, inputs=source.random_inputs(size, scale, SEED + size), scale=scale)

        return PlannedCase(name=name, rows=size, least=least and (affine or scale == 1.0), make=make)

    name = f"batch {size}, {'negated' if floating else 'other values'}"

    def negated() -> Case:
        inputs = tuple(-array if array.dtype.kind == "f" else array for array in source.random_inputs(size, 1.0, SEED))
        return Case(name=name, inputs=inputs, scale=1.0)

    scales = [of_scale(scale) for scale in (SCALES if floating else (1.0,))]
    return [*scales, PlannedCase(name=name, rows=size, least=affine, make=negated)]


def _affine_cases(source: Source) -> list[PlannedCase]:
    assert source.affine is not None
    features = source.affine.weight.shape[1]
    count = UNIT_ROWS if _is_large(source) else features
    places = np.unique(np.linspace(0, features - 1, count).astype(np.int64)) if _is_large(source) else range(features)
    unit = np.zeros((len(places), features), source.affine.weight.dtype)
    unit[range(len(places)), places] = 1
    name = f"{len(places)} unit rows" if _is_large(source) else "unit rows"
    makers: dict[str, Callable[[], tuple[Array, ...]]] = {
        "batch 0": lambda: source.random_inputs(0, 1.0, SEED),
        name: lambda: (unit,),
        f"{name} times 1e4": lambda: (unit * unit.dtype.type(1e4),),
        "special rows": lambda: special_case(source).inputs,
    }
    return [
        PlannedCase(name=name, rows=0, least=True, make=lambda name=name, make=make: Case(name=name, inputs=make()))  # type: ignore[misc]
        for name, make in makers.items()
    ]


def _is_large(source: Source) -> bool:
    """Whether an affine map is so large that all its unit rows, and large batches, would take hours or all memory."""
    return source.affine is not None and source.affine.weight.size >= LARGE_AFFINE


def all_batches(source: Source) -> tuple[int, ...]:
    """The batch sizes to verify if memory has no limit; a static module has one, given by the shapes of its inputs."""
    return (int(source.inputs[0].shape[0] or 1),) if source.static else BATCHES


def batches(source: Source, limit_bytes: int | None = LIMIT_BYTES) -> tuple[int, ...]:
    """The batch sizes to verify within a limit of memory; the least sizes are verified in any case.

    Args:
        source: the module and its inputs.
        limit_bytes: memory that one case may take; None if there is no limit. Ordinary affine modules have none.
    """
    sizes = all_batches(source)
    if source.static or (source.affine is not None and not _is_large(source)):
        return sizes
    return tuple(
        size
        for place, size in enumerate(sizes)
        if place < LEAST_SIZES
        or (
            (size < LARGE_BATCH or sum(entry.elements(size) for entry in source.inputs) < MAX_ELEMENTS)
            and (limit_bytes is None or size * bytes_per_row(source) <= limit_bytes)
        )
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
