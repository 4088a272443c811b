"""Blocks: the rows of a table in order, 65,536 at a time, wherever its files are cut."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

BLOCK_ROWS = 65_536


@dataclass(frozen=True, kw_only=True)
class Block:
    """Consecutive rows of a table.

    Attributes:
        start: the place of the first row in the table, counted from 0 over all files: a multiple of `BLOCK_ROWS`.
            Every block but the last has `BLOCK_ROWS` rows.
        values: float64, shape (rows, columns), columns contiguous: the features in the requested order, then the
            target if one was requested. NaN stands for a missing value; the other values are finite.
        passed: the columns to pass through, as they stand in the file; None if there are none.
        read_bytes: how many bytes of the table's `size_bytes` were read for these rows, approximately.
    """

    start: int
    values: NDArray[np.float64]
    passed: pa.RecordBatch | None = None
    read_bytes: int = 0


@dataclass(frozen=True, kw_only=True)
class Piece:
    """Consecutive rows, of any number; attributes as those of a block."""

    start: int
    columns: list[NDArray[np.float64]]
    passed: pa.RecordBatch | None = None
    read_bytes: int = 0


def aligned(pieces: Iterable[Piece], width: int, *, start: int, stop: int | None) -> Iterator[Block]:
    """Cut consecutive pieces into blocks that begin at multiples of `BLOCK_ROWS`.

    Args:
        pieces: the first one begins at `start` or before.
        width: number of columns.
        start: row of the first block, a multiple of `BLOCK_ROWS`.
        stop: row to stop before, a multiple of `BLOCK_ROWS`; None reads to the end.
    """
    at, filled = start, 0
    values = np.empty((BLOCK_ROWS, width), order="F")
    passed: list[pa.RecordBatch] = []
    read_bytes = 0
    for piece in pieces:
        rows = len(piece.columns[0])
        used = min(max(at + filled - piece.start, 0), rows)
        read_bytes += piece.read_bytes
        while used < rows:
            count = min(rows - used, BLOCK_ROWS - filled)
            for place, column in enumerate(piece.columns):
                values[filled : filled + count, place] = column[used : used + count]
            if piece.passed is not None:
                passed.append(piece.passed.slice(used, count))
            used, filled = used + count, filled + count
            if filled == BLOCK_ROWS:
                yield Block(start=at, values=values, passed=_joined(passed), read_bytes=read_bytes)
                at, filled, passed, read_bytes = at + BLOCK_ROWS, 0, [], 0
                if stop is not None and at >= stop:
                    return
                values = np.empty((BLOCK_ROWS, width), order="F")
    if filled:
        values = np.asfortranarray(values[:filled])
        yield Block(start=at, values=values, passed=_joined(passed), read_bytes=read_bytes)


def _joined(batches: list[pa.RecordBatch]) -> pa.RecordBatch | None:
    if not batches:
        return None
    return batches[0] if len(batches) == 1 else pa.concat_batches(batches)


def complete_rows(values: NDArray[np.float64]) -> NDArray[np.bool_] | None:
    """Return which rows have no NaN; None if no row has one.

    Args:
        values: shape (rows, columns), columns contiguous.
    """
    with np.errstate(over="ignore", invalid="ignore"):
        if np.isfinite(values.sum(axis=0)).all():
            return None
    complete = np.asarray(~np.isnan(values).any(axis=1))
    return None if complete.all() else complete
