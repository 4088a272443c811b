"""Split the rows of a table into parts, block by block: rule "blocks-1".

A block of `BLOCK_ROWS` rows is split by itself, so no permutation of all rows is held, and every worker finds the parts
of its own rows. Fractions refer to the rows of the file, whether they are complete or not.
"""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from linreg.reading.blocks import BLOCK_ROWS

RULE = "blocks-1"
"""What a card calls this rule. A card without it was split by `linreg.data.split`."""


@dataclass(frozen=True, kw_only=True)
class BlockSplit:
    """How rows are split.

    Attributes:
        fractions: as `linreg.split_text.parse_split` returns them.
        seed: seed with which the rows of each block are shuffled first; None keeps their order.
        rows: rows of the table; needed only if the order is kept.
    """

    fractions: tuple[float, ...] = (1.0,)
    seed: int | None = None
    rows: int | None = None

    def part_of_row(self, start: int, count: int) -> NDArray[np.uint8] | None:
        """Return the number of the part of each row of a block, 0 for training; None if every row trains.

        The first part has exactly int(fraction * rows) rows of the table, and so have the others up to a row.

        Args:
            start: first row of the block, a multiple of `BLOCK_ROWS`.
            count: rows of the block: `BLOCK_ROWS`, but for the last block.
        """
        if len(self.fractions) == 1:
            return None
        parts = np.zeros(count, np.uint8)
        if self.seed is None:
            assert self.rows is not None
            for end in self._ends(self.rows):
                parts[max(min(end - start, count), 0) :] += 1
            return parts
        order = _order(self.seed, start // BLOCK_ROWS, count)
        cut = 0
        for before, end in zip(self._ends(start), self._ends(start + count), strict=True):
            cut = max(cut, end - before)
            parts[order[cut:]] += 1
        return parts

    def _ends(self, rows: int) -> list[int]:
        """Return where the parts of the first `rows` rows end, but for the last part."""
        # The tiny summand offsets the rounding of a sum such as 0.7 + 0.15.
        return [int(fraction * rows + 1e-6) for fraction in np.cumsum(self.fractions)[:-1]]


@lru_cache(maxsize=16)
def _order(seed: int, block: int, count: int) -> NDArray[np.int_]:
    """Return the order of the rows of a block; in a pass, each thread asks for that of its block several times."""
    order: NDArray[np.int_] = np.random.Generator(np.random.Philox(key=[seed, block])).permutation(count)
    order.flags.writeable = False
    return order


EVERY_ROW = BlockSplit()
"""Every row is for training."""
