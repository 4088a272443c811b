"""Goodness of fit: R2, RMSE and MAE, computed in float64, over rows that need not be in memory at once."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

NOTHING = -(10**6)
"""The exponent of zeros, below that of any number."""


@dataclass(frozen=True, kw_only=True)
class Metrics:
    """Goodness of fit on one part of the data.

    Attributes:
        rows: number of rows.
        r2: coefficient of determination; None if the target is constant.
        rmse: root mean squared error, in the target's unit.
        mae: mean absolute error, in the target's unit.
    """

    rows: int
    r2: float | None
    rmse: float
    mae: float


@dataclass(frozen=True, kw_only=True)
class Errors:
    """The sums that metrics are computed from; those of two sets of rows add up to those of both.

    Sums are scaled by powers of two, which rounds nothing, so that sums and squares of 1e300 do not overflow.

    Attributes:
        rows: number of rows.
        exponent: errors are divided by 2^exponent.
        absolute: sum of the absolute errors.
        squares: sum of the squared errors.
        target: the sums of the target itself.
    """

    rows: int
    exponent: int
    absolute: float
    squares: float
    target: "Spread"

    def __add__(self, other: "Errors") -> "Errors":
        exponent = max(self.exponent, other.exponent)
        sums = [
            (math.ldexp(one.absolute, one.exponent - exponent), math.ldexp(one.squares, 2 * (one.exponent - exponent)))
            for one in (self, other)
        ]
        return Errors(
            rows=self.rows + other.rows,
            exponent=exponent,
            absolute=sums[0][0] + sums[1][0],
            squares=sums[0][1] + sums[1][1],
            target=self.target + other.target,
        )

    @property
    def metrics(self) -> Metrics:
        """The metrics of all rows."""
        r2, target = None, self.target
        if target.low < target.high:
            with np.errstate(over="ignore"):
                ratio = float(np.ldexp(self.squares / target.squares, 2 * (self.exponent - target.exponent)))
            r2 = 1 - min(ratio, 2.0**1000)  # keeps R2 from overflowing
        return Metrics(
            rows=self.rows,
            r2=r2,
            rmse=float(np.ldexp(math.sqrt(self.squares / self.rows), self.exponent)),
            mae=float(np.ldexp(self.absolute / self.rows, self.exponent)),
        )


@dataclass(frozen=True, kw_only=True)
class Spread:
    """The sums of one column.

    Attributes:
        rows: number of rows.
        low: least value.
        high: largest value.
        exponent: what follows is divided by 2^exponent, squares by its square.
        mean: the mean, rounded.
        correction: what rounding left of the mean: a column of 1e15 may vary by less than the last digit of its mean.
        squares: sum of the squared deviations from the mean.
        around_zero: sum of the squares.
    """

    rows: int
    low: float
    high: float
    exponent: int
    mean: float
    correction: float
    squares: float
    around_zero: float

    def __add__(self, other: "Spread") -> "Spread":
        exponent = max(self.exponent, other.exponent)
        one, two = self._scaled(exponent), other._scaled(exponent)
        rows = one.rows + two.rows
        apart = (two.mean - one.mean) + (two.correction - one.correction)
        return Spread(
            rows=rows,
            low=min(one.low, two.low),
            high=max(one.high, two.high),
            exponent=exponent,
            mean=one.mean,
            correction=one.correction + apart * (two.rows / rows),
            squares=one.squares + two.squares + apart**2 * (one.rows * (two.rows / rows)),
            around_zero=one.around_zero + two.around_zero,
        )

    def _scaled(self, exponent: int) -> "Spread":
        by = self.exponent - exponent
        return Spread(
            rows=self.rows,
            low=self.low,
            high=self.high,
            exponent=exponent,
            mean=math.ldexp(self.mean, by),
            correction=math.ldexp(self.correction, by),
            squares=math.ldexp(self.squares, 2 * by),
            around_zero=math.ldexp(self.around_zero, 2 * by),
        )

    @property
    def root_mean_square(self) -> float:
        """The root mean square of the values."""
        return float(np.ldexp(math.sqrt(self.around_zero / self.rows), self.exponent))


def measure(target: Array, prediction: NDArray[np.floating]) -> Metrics:
    """Compute how well predictions fit the target.

    Args:
        target: actual values, shape (rows,), at least one row.
        prediction: predicted values, shape (rows,), any floating dtype.
    """
    return errors_of(target, prediction).metrics


def errors_of(target: Array, prediction: NDArray[np.floating]) -> Errors:
    """Compute the sums of some rows; the arguments are those of `measure`."""
    unit = _exponent(target, prediction)
    error = np.ldexp(prediction.astype(np.float64), -unit) - np.ldexp(target, -unit)
    below = _exponent(error)
    error = np.ldexp(error, -below)
    return Errors(
        rows=len(target),
        exponent=unit + below,
        absolute=float(np.abs(error).sum()),
        squares=float(np.square(error).sum()),
        target=spread_of(target),
    )


def spread_of(values: Array) -> Spread:
    """Compute the sums of a column of at least one row."""
    exponent = _exponent(values)
    scaled = np.ldexp(values, -exponent)
    mean = scaled.mean()
    deviation = scaled - mean
    correction = deviation.mean()
    deviation -= correction
    return Spread(
        rows=len(values),
        low=float(values.min()),
        high=float(values.max()),
        exponent=exponent,
        mean=float(mean),
        correction=float(correction),
        squares=float(np.square(deviation).sum()),
        around_zero=float(np.square(scaled).sum()),
    )


def _exponent(*arrays: NDArray[np.floating]) -> int:
    largest = max(float(np.abs(array).max()) for array in arrays)
    return int(np.frexp(largest)[1]) if largest else NOTHING
