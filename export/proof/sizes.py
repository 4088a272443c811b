"""The sizes of the dynamic axes at which a file is verified."""

from dataclasses import dataclass
from itertools import islice
from typing import Any

from export.proof.memory import LIMIT_BYTES, chunk_rows
from export.source.axes import BATCH, Axis, Sizes
from export.source.source import Source

BATCHES = (1, 2, 7, 64, 4096)
LEAST_SIZES = 3
"""A module that is not affine is verified at this many sizes of each axis, whatever the budget."""

OTHER_SIZE = 11
LARGE_SIZE = 64
LARGE_BATCH = 4096
"""This batch size and larger ones come last."""

MAX_ELEMENTS = 2**22
"""A module that is not affine skips batch 4096 if its inputs would have more elements than this."""

LARGE_AFFINE = 2**26
"""An affine map with so many weights is proved on a part of its unit rows, and within a limit of memory. Its weights
are compared bit for bit in any case."""


@dataclass(frozen=True, kw_only=True)
class TriedSizes:
    """Sizes at which a file is verified.

    Attributes:
        sizes: the size of each axis.
        least: they are tried whatever they cost.
    """

    sizes: Sizes
    least: bool


def all_sizes(source: Source) -> list[TriedSizes]:
    """List the sizes to verify if time and memory have no limit, in the order in which they are tried.

    Each axis is tried at several sizes while the others have those of the example, and then all axes together at
    others. A module without dynamic axes has one size.
    """
    if source.static:
        return [TriedSizes(sizes={}, least=True)]
    if source.affine is not None:
        least_sizes = LEAST_SIZES if is_large_affine(source) else len(BATCHES)
        return [
            TriedSizes(sizes=source.sizes(batch=size), least=place < least_sizes) for place, size in enumerate(BATCHES)
        ]
    example = source.sizes()
    least = [{**example, axis.name: size} for axis in source.axes for size in _least(axis, example[axis.name])]
    more: list[dict[str, int]] = []
    if len(source.axes) > 1:
        least.append({axis.name: _least(axis, example[axis.name])[-1] for axis in source.axes})
    for axis in source.axes:
        more += [{**example, axis.name: size} for size in _larger(axis)]
    more.sort(key=lambda sizes: sizes.get(BATCH, 0) >= LARGE_BATCH)
    tried = [TriedSizes(sizes=sizes, least=True) for sizes in least]
    return _distinct([*tried, *(TriedSizes(sizes=sizes, least=False) for sizes in more)])


def sizes_within(source: Source, limit_bytes: int | None = LIMIT_BYTES) -> list[TriedSizes]:
    """List the sizes to verify within a limit of memory; the least are verified in any case.

    Args:
        source: the module and its inputs.
        limit_bytes: memory that one case may take; None if there is no limit. Ordinary affine modules have none.
    """
    tried = all_sizes(source)
    if source.static or (source.affine is not None and not is_large_affine(source)):
        return tried
    return [
        entry
        for entry in tried
        if entry.least
        or (
            (entry.sizes.get(BATCH, 0) < LARGE_BATCH or elements(source, entry.sizes) < MAX_ELEMENTS)
            and chunk_rows(source, entry.sizes, limit_bytes) is not None
        )
    ]


def is_large_affine(source: Source) -> bool:
    """Whether an affine map is so large that all its unit rows, and large batches, would take hours or all memory."""
    return source.affine is not None and source.affine.weight.size >= LARGE_AFFINE


def elements(source: Source, sizes: Sizes) -> int:
    """Return the number of elements of all inputs."""
    return sum(entry.elements(sizes) for entry in source.inputs)


def _least(axis: Axis, example: int) -> list[int]:
    """Return the sizes of an axis that are always tried: the smallest, that of the example, and another."""
    if axis.name == BATCH:
        wanted = [axis.nearest(size) for size in BATCHES[:LEAST_SIZES]]
    else:
        wanted = [axis.least, example, axis.nearest(max(OTHER_SIZE, example + 1))]
    sizes = sorted({*wanted})
    more = (size for place in range(LEAST_SIZES) if (size := axis.at(place)) is not None and size not in sizes)
    return sorted([*sizes, *islice(more, LEAST_SIZES - len(sizes))])


def _larger(axis: Axis) -> list[int]:
    """Return the sizes of an axis that are tried within the budget, the largest of its range among them."""
    wanted = BATCHES[LEAST_SIZES:] if axis.name == BATCH else (LARGE_SIZE, axis.largest() or LARGE_SIZE)
    return sorted({axis.nearest(size) for size in wanted})


def _distinct(tried: list[TriedSizes]) -> list[TriedSizes]:
    found: dict[Any, TriedSizes] = {}
    for entry in tried:
        found.setdefault(tuple(entry.sizes.items()), entry)
    return list(found.values())
