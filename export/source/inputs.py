"""One input of a module: its name, dtype, shape and random values."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, kw_only=True)
class Input:
    """One input of a module.

    Attributes:
        name: its name in the graph.
        dtype: the dtype of its values, such as float32.
        shape: the size of each axis; None for the batch axis.
        below: exclusive upper limit for random integers; not used for a floating dtype.
        least: inclusive lower limit for random integers.
        prefix: random values are right-padded masks: at least one 1 and then zeros along the last axis.
    """

    name: str
    dtype: np.dtype[Any]
    shape: tuple[int | None, ...]
    below: int = 2
    least: int = 0
    prefix: bool = False

    def random(self, batch: int, scale: float, generator: np.random.Generator) -> NDArray[Any]:
        """Return normally distributed values times `scale`; integers and booleans are uniform, and not scaled."""
        shape = tuple(batch if size is None else size for size in self.shape)
        if self.dtype.kind == "f":
            with np.errstate(over="ignore"):
                values: NDArray[Any] = (generator.standard_normal(shape) * scale).astype(self.dtype)
                return values
        if self.prefix:
            ones = generator.integers(1, shape[-1] + 1, (*shape[:-1], 1))
            return (np.arange(shape[-1]) < ones).astype(self.dtype)
        return generator.integers(self.least, self.below, shape).astype(self.dtype)

    def elements(self, batch: int) -> int:
        """Return the number of elements in a batch."""
        return int(np.prod([batch if size is None else size for size in self.shape]))

    def text(self) -> str:
        """Return the input as `--input` takes it."""
        sizes = ",".join("batch" if size is None else str(size) for size in self.shape)
        bare = f"{self.name}={self.dtype}[{sizes}]"
        if self.prefix:
            return f"{bare} prefix"
        if self.dtype.kind in "fb":
            return bare
        return f"{f'{self.least}<=' if self.least else ''}{bare}<{self.below}"

    def described(self) -> dict[str, Any]:
        """Return name, dtype and shape as JSON values."""
        return {
            "name": self.name,
            "dtype": str(self.dtype),
            "shape": ["batch" if size is None else size for size in self.shape],
        }
