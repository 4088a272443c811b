"""One input of a module: its name, dtype, shape and random values."""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from export.source.axes import Axis, Sizes


@dataclass(frozen=True, kw_only=True)
class Input:
    """One input of a module.

    Attributes:
        name: its name in the graph.
        dtype: the dtype of its values, such as float32.
        shape: the size of each axis, or the name of a dynamic axis.
        below: exclusive upper limit for random integers; not used for a floating dtype.
        least: inclusive lower limit for random integers.
        prefix: random values are right-padded masks: at least one 1 and then zeros along the last axis.
        axes: the dynamic axes in `shape` that have a range; the others may have any size from 1.
    """

    name: str
    dtype: np.dtype[Any]
    shape: tuple[int | str, ...]
    below: int = 2
    least: int = 0
    prefix: bool = False
    axes: tuple[Axis, ...] = ()

    def dynamic(self) -> tuple[Axis, ...]:
        """Return the dynamic axes of `shape`, in order."""
        ranges = {axis.name: axis for axis in self.axes}
        return tuple(ranges.get(size, Axis(name=size)) for size in self.shape if isinstance(size, str))

    def shape_at(self, sizes: Sizes) -> tuple[int, ...]:
        """Return the shape with each dynamic axis at its size."""
        return tuple(sizes[size] if isinstance(size, str) else size for size in self.shape)

    def random(self, sizes: Sizes, scale: float, generator: np.random.Generator) -> NDArray[Any]:
        """Return normally distributed values times `scale`; integers and booleans are uniform, and not scaled."""
        shape = self.shape_at(sizes)
        if self.dtype.kind == "f":
            with np.errstate(over="ignore"):
                values: NDArray[Any] = (generator.standard_normal(shape) * scale).astype(self.dtype)
                return values
        if self.prefix:
            ones = generator.integers(min(1, shape[-1]), shape[-1] + 1, (*shape[:-1], 1))
            return (np.arange(shape[-1]) < ones).astype(self.dtype)
        return generator.integers(self.least, self.below, shape).astype(self.dtype)

    def elements(self, sizes: Sizes) -> int:
        """Return the number of elements."""
        return math.prod(self.shape_at(sizes))

    def text(self) -> str:
        """Return the input as `--input` takes it."""
        ranges = {axis.name: axis.described() for axis in self.axes}
        sizes = ",".join(ranges.get(str(size), str(size)) for size in self.shape)
        bare = f"{self.name}={self.dtype}[{sizes}]"
        if self.prefix:
            return f"{bare} prefix"
        if self.dtype.kind in "fb":
            return bare
        return f"{f'{self.least}<=' if self.least else ''}{bare}<{self.below}"

    def described(self) -> dict[str, Any]:
        """Return name, dtype and shape as JSON values."""
        return {"name": self.name, "dtype": str(self.dtype), "shape": list(self.shape)}
