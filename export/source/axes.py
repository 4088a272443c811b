"""The dynamic axes of inputs: names that stand for sizes, and the range of each size."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from linreg.errors import ExportError

BATCH = "batch"
"""The axis that counts the rows. A benchmark varies its size."""

BATCH_EXAMPLE = 2
LEAST_EXAMPLE = 5
"""The example has at least this size along any other axis, if its range allows."""

Sizes = Mapping[str, int]
"""The size of each dynamic axis, by name."""


@dataclass(frozen=True, kw_only=True)
class Axis:
    """A dynamic axis. Its sizes are `least`, `least + step` and so on, up to `most`.

    Attributes:
        name: its name; axes of the same name have the same size in all inputs.
        least: the smallest size.
        most: the largest size; None if there is no limit.
        step: the distance between two sizes.
    """

    name: str
    least: int = 1
    most: int | None = None
    step: int = 1

    def at(self, place: int) -> int | None:
        """Return the size after `place` steps; None if it is beyond the largest."""
        size = self.least + place * self.step
        return None if self.most is not None and size > self.most else size

    def nearest(self, size: int) -> int:
        """Return the smallest size of the axis that is not below `size`, or its largest."""
        place = max(0, -(-(size - self.least) // self.step))
        largest = self.largest()
        return self.least + place * self.step if largest is None else min(self.least + place * self.step, largest)

    def largest(self) -> int | None:
        """Return the largest size that the steps reach; None if there is no limit."""
        return None if self.most is None else self.most - (self.most - self.least) % self.step

    def described(self) -> str:
        """Return the axis as it is written in an input: `seq`, `seq:1..512` or `h:32..1024*32`."""
        if self == Axis(name=self.name):
            return self.name
        step = "" if self.step == 1 else f"*{self.step}"
        return f"{self.name}:{self.least}..{'' if self.most is None else self.most}{step}"


def merged(axes: Iterable[Axis]) -> tuple[Axis, ...]:
    """Return one axis per name, in order of appearance; an axis with a range gives it to those of the same name.

    Raises:
        ExportError: two axes of the same name have different ranges.
    """
    found: dict[str, Axis] = {}
    for axis in axes:
        known = found.get(axis.name, Axis(name=axis.name))
        if Axis(name=axis.name) not in (known, axis) and known != axis:
            raise ExportError(
                f"axis {axis.name!r} has two ranges, {known.described()} and {axis.described()}; give it one"
            )
        found[axis.name] = axis if known == Axis(name=axis.name) else known
    return tuple(found.values())


def example_sizes(axes: Iterable[Axis], fixed: Iterable[int]) -> dict[str, int]:
    """Choose the sizes at which a module is captured.

    torch.export treats sizes of 0 and 1 as constants, also those inside the module, such as h // 32, and may take two
    axes of the same size for one. So sizes are at least twice the smallest where the range allows it, and differ from
    each other and from all fixed sizes.

    Args:
        axes: the dynamic axes.
        fixed: the sizes of all other axes.
    """
    chosen: dict[str, int] = {}
    taken = {*fixed}
    for axis in axes:
        wanted = BATCH_EXAMPLE if axis.name == BATCH else max(LEAST_EXAMPLE, 2 * axis.least)
        size = first = axis.nearest(wanted)
        while axis.name != BATCH and (size in taken or size == BATCH_EXAMPLE):
            following = axis.nearest(size + 1)
            if following == size:
                size = first
                break
            size = following
        chosen[axis.name] = size
        taken.add(size)
    return chosen


def other_size(axis: Axis, size: int) -> int:
    """Return the next size of an axis after `size`, or the one before if there is none."""
    larger = axis.nearest(size + 1)
    return larger if larger != size else max(axis.least, size - axis.step)


def in_words(sizes: Sizes) -> str:
    """Return sizes as text: `batch 7, seq 5`."""
    return ", ".join(f"{name} {size}" for name, size in sizes.items())
