"""Blocks: the rows of a table, a fixed number at a time."""

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

BLOCK_ROWS = 65_536


@dataclass(frozen=True, kw_only=True)
class Block:
    """Some rows of a table.

    Attributes:
        start: number of the first row, from 0 over all files; a multiple of `BLOCK_ROWS`. Only the last block is
            shorter.
        values: float64, shape (rows, columns), columns contiguous: the features in their order, then the target if one
            was requested; NaN where there is no value.
        passed: the columns that are passed through, as they stand in the file.
    """

    start: int
    values: NDArray[np.float64]
    passed: pa.RecordBatch | None = None
