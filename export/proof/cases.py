"""The inputs on which a file is verified."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from export.proof.sizes import LARGE_BATCH, TriedSizes, elements, is_large_affine
from export.source.axes import BATCH, Sizes, in_words
from export.source.source import Source

Array = NDArray[Any]

SCALES = (1e-3, 1.0, 1e4)
UNIT_ROWS = 64
"""The number of unit rows on which a large affine map is proved."""

SEED = 20261123
SPECIAL_ROWS = "special rows"
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
        sizes: the size of each dynamic axis; empty if the inputs are not random.
        elements: the number of elements of its inputs, with which its cost grows.
        least: it is tried whatever it costs.
        make: makes the case.
    """

    name: str
    sizes: Sizes
    elements: int
    least: bool
    make: Callable[[], Case]


def planned_cases(source: Source, tried: list[TriedSizes]) -> list[PlannedCase]:
    """List the cases that a file must pass, in the order in which they are tried.

    Random rows of all batch sizes and scales, and their negation, so that a branch on the data is taken both ways. For
    an affine module also batch 0, one row for each feature (a bound over many features hides the error of one weight),
    and special rows. For any other module the cases that prove most come first: three batch sizes and the user's own
    inputs, which are the least, then other scales, negation and large batches.

    Args:
        source: the module and its inputs.
        tried: the sizes of the dynamic axes.
    """
    affine = source.affine is not None
    cases = [case for entry in tried for case in _random_cases(source, entry)]
    if affine and not source.static:
        cases += _affine_cases(source)
    cases += [
        PlannedCase(
            name=own.name,
            sizes={},
            elements=sum(array.size for array in own.inputs),
            least=True,
            make=partial(_itself, own),
        )
        for own in own_cases(source)
    ]
    return (
        cases if affine else sorted(cases, key=lambda case: (not case.least, case.sizes.get(BATCH, 0) >= LARGE_BATCH))
    )


def own_cases(source: Source) -> list[Case]:
    """Return the user's own inputs as cases."""
    return [Case(name=own.name, inputs=own.arrays) for own in source.own]


def _itself(case: Case) -> Case:
    return case


def _random_cases(source: Source, tried: TriedSizes) -> list[PlannedCase]:
    """List the cases of some sizes. Whole numbers have no scale, so they are tried once, and once with other values."""
    sizes, count, text = tried.sizes, elements(source, tried.sizes), named(source, tried.sizes)
    affine, floating = source.affine is not None, any(entry.dtype.kind == "f" for entry in source.inputs)

    def of_scale(scale: float) -> PlannedCase:
        name = f"{text}, scale {scale:g}"

        def make() -> Case:
            return Case(name=name, inputs=source.random_inputs(sizes, scale, seed_of(sizes)), scale=scale)

        least = tried.least and (affine or scale == 1.0)
        return PlannedCase(name=name, sizes=sizes, elements=count, least=least, make=make)

    name = f"{text}, {'negated' if floating else 'other values'}"

    def negated() -> Case:
        inputs = tuple(-array if array.dtype.kind == "f" else array for array in source.random_inputs(sizes, 1.0, SEED))
        return Case(name=name, inputs=inputs, scale=1.0)

    scales = [of_scale(scale) for scale in (SCALES if floating else (1.0,))]
    return [*scales, PlannedCase(name=name, sizes=sizes, elements=count, least=affine, make=negated)]


def named(source: Source, sizes: Sizes) -> str:
    """Return sizes as text; for a module with fixed sizes, that of its first axis."""
    return in_words(sizes) or f"batch {next((entry.shape[0] for entry in source.inputs if entry.shape), 1)}"


def seed_of(sizes: Sizes) -> int:
    """Return the seed of the random inputs of some sizes."""
    return SEED + sum(sizes.values())


def _affine_cases(source: Source) -> list[PlannedCase]:
    assert source.affine is not None
    large = is_large_affine(source)
    features = source.affine.weight.shape[1]
    places = np.unique(np.linspace(0, features - 1, UNIT_ROWS).astype(np.int64)) if large else np.arange(features)
    unit = np.zeros((len(places), features), source.affine.weight.dtype)
    unit[np.arange(len(places)), places] = 1
    rows = f"{len(places)} unit rows" if large else "unit rows"
    makers: list[Callable[[], Case]] = [
        lambda: Case(name="batch 0", inputs=source.random_inputs({BATCH: 0}, 1.0, SEED)),
        lambda: Case(name=rows, inputs=(unit,)),
        lambda: Case(name=f"{rows} times 1e4", inputs=(unit * unit.dtype.type(1e4),)),
        lambda: special_case(source),
    ]
    names = ("batch 0", rows, f"{rows} times 1e4", SPECIAL_ROWS)
    return [
        PlannedCase(name=name, sizes={}, elements=0, least=True, make=make)
        for name, make in zip(names, makers, strict=True)
    ]


def special_case(source: Source) -> Case:
    """Return rows filled with a special value such as NaN, and rows of ones with a single special value.

    Every floating input with a batch axis gets such rows; the others are ones, with a single NaN if there is no batch.
    Integers have their smallest value.
    """
    count = len(SPECIAL_VALUES) + 3
    sizes = source.sizes(batch=2 * count)
    inputs = []
    for entry in source.inputs:
        if entry.dtype.kind != "f":
            inputs.append(np.full(entry.shape_at(sizes), entry.least, entry.dtype))
            continue
        limits = np.finfo(entry.dtype)
        values = np.array([*SPECIAL_VALUES, float(limits.smallest_subnormal), float(limits.max), -float(limits.max)])
        shape = entry.shape_at(sizes)
        array = np.ones(shape)
        if BATCH in entry.shape:
            place = entry.shape.index(BATCH)
            rows = np.ones((2 * count, math.prod(shape) // (2 * count)))
            rows[:count], rows[count:, 0] = values.reshape(-1, 1), values
            array = np.moveaxis(rows.reshape(2 * count, *shape[:place], *shape[place + 1 :]), 0, place)
        elif BATCH not in sizes:
            array.reshape(-1)[:1] = np.nan
        inputs.append(np.ascontiguousarray(array, dtype=entry.dtype))
    return Case(name=SPECIAL_ROWS, inputs=tuple(inputs))
