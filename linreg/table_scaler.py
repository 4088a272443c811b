"""Standardise a table by its training part, in one pass over its blocks."""

import numpy as np
from numpy.typing import NDArray

from linreg.data import Scaler, scaler_from
from linreg.metrics import Spread, spread_of
from linreg.problem import Problem, Unit, rows_of_part
from linreg.tree import reduced

Spreads = tuple[Spread, ...] | None
"""The spread of each feature and of the target; None if there are no rows."""


def table_scaler(problem: Problem) -> Scaler:
    """Return what `linreg.data.fit_scaler` returns for the training part, up to rounding.

    Args:
        problem: the table; its training part has rows. Without an intercept the means are 0.

    Raises:
        DataError: a sum of the values' squares overflows float64.
    """
    spreads = problem.passed(_spreads, combine=_combined, stage="scales")
    assert spreads is not None
    centre = problem.intercept
    with np.errstate(over="ignore"):
        mean = np.array([np.ldexp(one.mean + one.correction, one.exponent) for one in spreads])
        squares = np.array([one.squares if centre else one.around_zero for one in spreads])
        exponents = np.array([one.exponent for one in spreads])
        scale = np.ldexp(np.sqrt(squares / spreads[0].rows), exponents)
    return scaler_from(
        mean if centre else np.zeros(len(spreads)),
        scale,
        low=np.array([one.low for one in spreads[:-1]]),
        high=np.array([one.high for one in spreads[:-1]]),
        centre=centre,
    )


def _spreads(unit: Unit, problem: Problem) -> Spreads:
    blocks = problem.blocks(unit)
    return reduced((_block_spreads(rows_of_part(problem, block, 0)) for block in blocks), _combined)


def _block_spreads(values: NDArray[np.float64]) -> Spreads:
    return tuple(spread_of(np.ascontiguousarray(column)) for column in values.T) if len(values) else None


def _combined(one: Spreads, other: Spreads) -> Spreads:
    if one is None or other is None:
        return one or other
    return tuple(a + b for a, b in zip(one, other, strict=True))
