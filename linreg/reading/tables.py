"""Read a whole table into memory, with columns chosen by name. Rows are counted from 1; empty lines are not counted."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from linreg.files import sha256
from linreg.memory import check_memory
from linreg.reading.arrow_columns import ArrowStream
from linreg.reading.blocks import Block
from linreg.reading.choice import LeftOut
from linreg.reading.opening import sha256_of
from linreg.reading.options import AS_USUAL, ReadOptions
from linreg.reading.stream import TableStream, open_stream

BYTES_A_CELL = 24
"""A number is held three times: in its block, in the table of used columns, and in the complete rows."""


@dataclass(frozen=True, kw_only=True)
class Table:
    """The used columns of a table.

    Attributes:
        features: float64, shape (complete rows, features).
        target: float64, shape (complete rows,); None if no target was requested.
        values: float64, shape (rows of the table, features), NaN if there is no value.
        feature_names: in the order of the columns of `features`.
        target_name: None if no target was requested.
        complete: bool, shape (rows of the table,): False if a used column has no value.
        left_out: the columns that are not used, and why.
        notes: what the user should know, one line each.
        sha256: SHA-256 of the file's bytes; for a table in memory, `values_sha256` of the used columns.
    """

    features: NDArray[np.float64]
    target: NDArray[np.float64] | None
    values: NDArray[np.float64]
    feature_names: tuple[str, ...]
    target_name: str | None
    complete: NDArray[np.bool_]
    left_out: tuple[LeftOut, ...]
    notes: tuple[str, ...]
    sha256: str


def read_table(
    data: Path | str | ArrowStream,
    *,
    features: tuple[str, ...] | None,
    target: str | None,
    how: ReadOptions = AS_USUAL,
) -> Table:
    """Read the columns `features` and `target` of a table; other columns are not parsed.

    Args:
        data: a table as `linreg.reading.stream.open_stream` takes it.
        features: column names in the wanted order; None uses every numeric column except the target and
            the row index of pandas.
        target: column name; None if only features are needed. A feature may then have no value in any row.
        how: how the cells are written.

    Raises:
        DataError: the data are not a table, a column is missing or named twice, a used value is not a finite number, or
            there is not enough memory.
    """
    stream = open_stream(data, features=features, target=target, how=how)
    used = _all_rows(stream)
    complete = np.asarray(~np.isnan(used).any(axis=1))
    kept = used if complete.all() else used[complete]
    width = len(stream.feature_names)
    return Table(
        features=np.ascontiguousarray(kept[:, :width]),
        target=kept[:, -1].copy() if target is not None else None,
        values=used[:, :width],
        feature_names=stream.feature_names,
        target_name=stream.target_name,
        complete=complete,
        left_out=stream.left_out,
        notes=stream.notes,
        sha256=sha256_of(data) or values_sha256(stream.used_names, used),
    )


def values_sha256(names: Sequence[str], values: NDArray[np.float64]) -> str:
    """Return the SHA-256 of numbers in memory: of their names as a JSON list, then the rows as little-endian float64.

    Args:
        names: one name for each column: the features in their order, then the target.
        values: shape (rows, columns); all NaNs give the same bytes.
    """
    same = np.where(np.isnan(values), np.nan, values).astype("<f8")
    return sha256(json.dumps(list(names)).encode() + same.tobytes())


def _all_rows(stream: TableStream) -> NDArray[np.float64]:
    """Return all rows, shape (rows, columns of a block).

    Raises:
        DataError: as by `stream.blocks`, or there is not enough memory.
    """
    if stream.rows is not None:
        _check_memory(stream, stream.rows, BYTES_A_CELL)
    blocks: list[Block] = []
    read_bytes = 0
    for block in stream.blocks():
        blocks.append(block)
        rows = block.start + len(block.values)
        read_bytes += block.read_bytes
        if stream.rows is None and block.start == 0 and read_bytes:
            expected = rows * (stream.size_bytes or 0) // read_bytes
            _check_memory(stream, max(expected, rows), BYTES_A_CELL)
        _check_memory(stream, rows, BYTES_A_CELL - 8)
    used = np.empty((sum(len(block.values) for block in blocks), stream.width))
    for block in blocks:
        used[block.start : block.start + len(block.values)] = block.values
    return used


def _check_memory(stream: TableStream, rows: int, bytes_a_cell: int) -> None:
    needed = bytes_a_cell * rows * stream.width
    check_memory(stream.origin, needed, f"{rows:,} rows of {stream.width:,} columns")
