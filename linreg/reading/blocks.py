"""Blocks: the rows of a table in order, 65,536 at a time, wherever its files are cut."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

BLOCK_ROWS = 65_536
PASSED_BYTES = 2**25
"""Bytes of columns to pass through, such as long texts, that a block holds, approximately; then it is cut."""


@dataclass(frozen=True, kw_only=True)
class Block:
    """Consecutive rows of a table.

    Attributes:
        start: the place of the first row in the table, counted from 0 over all files: a multiple of `BLOCK_ROWS`.
            Every block but the last has `BLOCK_ROWS` rows, but is cut into several if too much passes through.
        values: float64, shape (rows, columns), columns contiguous: the features in the requested order, then the
            target if one was requested. NaN stands for a missing value; the other values are finite.
        complete: which rows have every value, shape (rows,); None if all have.
        passed: the columns to pass through, as they stand in the file; None if there are none.
        read_bytes: how many bytes of the table's `size_bytes` were read for these rows, approximately.
    """

    start: int
    values: NDArray[np.float64]
    complete: NDArray[np.bool_] | None
    passed: pa.RecordBatch | None = None
    read_bytes: int = 0


@dataclass(frozen=True, kw_only=True)
class Piece:
    """Consecutive rows, of any number; attributes as those of a block, of which `columns` are the values."""

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
    at, filled, passed_bytes, read_bytes = start, 0, 0, 0
    waiting: list[Piece] = []
    for piece in pieces:
        rows = len(piece.columns[0])
        used = min(max(at + filled - piece.start, 0), rows)
        read_bytes += piece.read_bytes
        while used < rows:
            count = min(rows - used, BLOCK_ROWS - (at + filled) % BLOCK_ROWS)
            part = _slice(piece, used, used + count)
            waiting.append(part)
            used, filled = used + count, filled + count
            passed_bytes += 0 if part.passed is None else part.passed.nbytes
            if (at + filled) % BLOCK_ROWS == 0 or passed_bytes >= PASSED_BYTES:
                yield _joined(waiting, width, start=at, read_bytes=read_bytes)
                at, filled, waiting, passed_bytes, read_bytes = at + filled, 0, [], 0, 0
                if stop is not None and at >= stop:
                    return
    if filled:
        yield _joined(waiting, width, start=at, read_bytes=read_bytes)


def _slice(piece: Piece, start: int, stop: int) -> Piece:
    passed = None if piece.passed is None else piece.passed.slice(start, stop - start)
    return Piece(start=piece.start + start, columns=[column[start:stop] for column in piece.columns], passed=passed)


def _joined(pieces: list[Piece], width: int, *, start: int, read_bytes: int) -> Block:
    values = np.empty((sum(len(piece.columns[0]) for piece in pieces), width), order="F")
    row = 0
    for piece in pieces:
        rows = len(piece.columns[0])
        for place, column in enumerate(piece.columns):
            values[row : row + rows, place] = column
        row += rows
    batches = [piece.passed for piece in pieces if piece.passed is not None]
    passed = None
    if batches:
        passed = batches[0] if len(batches) == 1 else pa.concat_batches(batches)
    return Block(start=start, values=values, complete=complete_rows(values), passed=passed, read_bytes=read_bytes)


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
