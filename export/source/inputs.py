"""One input of a module: its name, dtype and shape, and random values of them."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, kw_only=True)
class Input:
    """One input of a module.

    Attributes:
        name: in the graph.
        dtype: such as float32.
        shape: a size for each axis; None for the batch.
        below: whole numbers are drawn from 0 to below it; for a dtype that is not floating.
    """

    name: str
    dtype: np.dtype[Any]
    shape: tuple[int | None, ...]
    below: int = 2

    def random(self, batch: int, scale: float, generator: np.random.Generator) -> NDArray[Any]:
        """Normally distributed numbers times `scale`; whole numbers and truth values know no scale."""
        shape = tuple(batch if size is None else size for size in self.shape)
        if self.dtype.kind == "f":
            with np.errstate(over="ignore"):
                values: NDArray[Any] = (generator.standard_normal(shape) * scale).astype(self.dtype)
                return values
        return generator.integers(0, self.below, shape).astype(self.dtype)

    def elements(self, batch: int) -> int:
        """How many numbers a batch has."""
        return int(np.prod([batch if size is None else size for size in self.shape]))

    def described(self) -> dict[str, Any]:
        """Name, dtype and shape as JSON values."""
        return {
            "name": self.name,
            "dtype": str(self.dtype),
            "shape": ["batch" if size is None else size for size in self.shape],
        }
