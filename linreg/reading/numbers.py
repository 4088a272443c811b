"""Turn the columns of a batch into numbers, or say which cell is none."""

import numpy as np
from numpy.typing import NDArray

from linreg.errors import DataError
from linreg.reading.cells import leading_zero, may_be_numeric, read_booleans, read_cells
from linreg.reading.choice import NO_VALUES, Choice, problem_of, way_out
from linreg.reading.column_names import short
from linreg.reading.options import ReadOptions
from linreg.reading.sources import Batch, Column


def numbers_of(
    origin: str, batch: Batch, names: tuple[str, ...], choice: Choice, how: ReadOptions
) -> list[NDArray[np.float64]]:
    """Return the used columns of a batch, NaN for a missing value, and check those that are watched.

    Args:
        origin: what messages call the file.
        batch: the used columns, then the watched ones.
        names: their names.
        choice: which columns are used.
        how: how the cells are written.

    Raises:
        DataError: a cell of a used column is not a finite number, or a watched column has a number.
    """
    width = len(choice.used)
    columns = [
        _finite(origin, name, column, batch.first_row, choice, how)
        for name, column in zip(names[:width], batch.columns[:width], strict=True)
    ]
    for name, column in zip(names[width:], batch.columns[width:], strict=True):
        _watch(origin, name, column, batch.first_row, choice, how)
    return columns


def _finite(
    origin: str, name: str, column: Column, first_row: int, choice: Choice, how: ReadOptions
) -> NDArray[np.float64]:
    if isinstance(column, np.ndarray):
        return column
    asked = choice.named or name == choice.target
    read = read_booleans if name in choice.booleans else read_cells
    cells = read(column, how=how, first_row=first_row)
    if cells.values is None:
        problem = problem_of(cells.problem, asked=asked, target=name == choice.target)
        raise DataError(f"{origin}: column {name!r}: {problem}")
    if name in choice.texts and (zeros := leading_zero(column)) is not None:
        raise DataError(
            f"{origin}: column {name!r}: its type is text, and {short(zeros)} has leading zeros, so it is probably "
            "an id; choose columns with --features"
        )
    with np.errstate(over="ignore", invalid="ignore"):
        if not np.isfinite(cells.values.sum()) and (infinite := np.isinf(cells.values)).any():
            row = int(infinite.argmax())
            value = short(str(column[row].as_py()))
            raise DataError(
                f"{origin}: column {name!r}: row {first_row + row + 1} is {value}, expected a finite number"
            )
    return cells.values


def _watch(origin: str, name: str, column: Column, first_row: int, choice: Choice, how: ReadOptions) -> None:
    """Check that a column that was left out as text holds no number."""
    if isinstance(column, np.ndarray):
        given = ~np.isnan(column)
        if not given.any():
            return
        row = int(given.argmax())
        found = f"row {first_row + row + 1} is {column[row]:g}"
    else:
        if not may_be_numeric(column):
            return
        cells = read_cells(column, how=how, first_row=first_row)
        if not cells.numeric:
            return
        found = cells.number or f"later {cells.problem}"
        if cells.values is not None:
            row = int((~np.isnan(cells.values)).argmax())
            found = f"row {first_row + row + 1} is {cells.values[row]:g}"
    reason = next(column.reason for column in choice.left_out if column.name == name)
    if reason == NO_VALUES:
        way = "name the columns to use with --features"
        raise DataError(
            f"{origin}: column {name!r}: had no values in the rows that were read first, but {found}; {way}"
        )
    raise DataError(f"{origin}: column {name!r}: {reason}, but {found}{way_out(asked=False)}")
