"""Arrays in memory as a stream of blocks."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from linreg.reading.blocks import BLOCK_ROWS, Block, complete_rows


@dataclass(frozen=True, kw_only=True)
class ArraysStream:
    """Features and a target in memory, read like a table.

    Attributes:
        features: float64, shape (rows, features).
        target: float64, shape (rows,).
        feature_names: one name for each feature.
        target_name: name of the target.
        origin: what messages call the data.
        seekable: `blocks` can begin anywhere.
    """

    features: NDArray[np.float64]
    target: NDArray[np.float64]
    feature_names: tuple[str, ...]
    target_name: str = "y"
    origin: str = "X"
    seekable: bool = True

    @property
    def rows(self) -> int:
        """The number of rows."""
        return len(self.target)

    def reading_start(self, row: int) -> int:
        """Return the row itself."""
        return row

    def blocks(self, start: int = 0, stop: int | None = None) -> Iterator[Block]:
        """Yield copies of the rows, in blocks."""
        end = len(self.target) if stop is None else min(stop, len(self.target))
        for first in range(start, end, BLOCK_ROWS):
            rows = slice(first, min(first + BLOCK_ROWS, end))
            values = np.empty((rows.stop - first, len(self.feature_names) + 1), order="F")
            values[:, :-1], values[:, -1] = self.features[rows], self.target[rows]
            yield Block(start=first, values=values, complete=complete_rows(values))
