"""What was noticed in the blocks of a table: rows without a value, and the largest number of each column."""

import numpy as np
from numpy.typing import NDArray

from linreg.reading.blocks import Block


class Noticed:
    """Counts each block once, however often the table is read; threads may share it."""

    def __init__(self) -> None:
        self._of_block: dict[int, tuple[int, NDArray[np.float64]]] = {}

    def count(self, block: Block) -> None:
        """Count the incomplete rows of a block, and find the largest number of each column."""
        if block.start in self._of_block:
            return
        incomplete = 0 if block.complete is None else int((~block.complete).sum())
        peaks = np.fmax.reduce(block.values, axis=0, initial=np.nan)
        peaks = np.fmax(peaks, -np.fmin.reduce(block.values, axis=0, initial=np.nan))
        self._of_block[block.start] = (incomplete, peaks)

    def within(self, start: int, stop: int | None) -> "Noticed":
        """Return what was noticed in a range of rows."""
        found = Noticed()
        found._of_block = {
            at: seen for at, seen in self._of_block.items() if at >= start and (stop is None or at < stop)
        }
        return found

    def add(self, other: "Noticed") -> None:
        """Add what a copy of the table has noticed in another process."""
        self._of_block.update(other._of_block)

    @property
    def blocks(self) -> int:
        """Number of blocks that were counted."""
        return len(self._of_block)

    @property
    def incomplete_rows(self) -> int:
        """Number of rows that lack a value."""
        return sum(incomplete for incomplete, _ in self._of_block.values())

    @property
    def peaks(self) -> NDArray[np.float64]:
        """The largest magnitude in each column, NaN for one without a value; empty before the first block."""
        found = [peaks for _, peaks in self._of_block.values()]
        return np.fmax.reduce(found) if found else np.zeros(0)
