"""Goodness of fit: R2, RMSE and MAE, computed in float64."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


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


def measure(target: NDArray[np.float64], prediction: NDArray[np.floating]) -> Metrics:
    """Compute how well predictions fit the target.

    Args:
        target: actual values, shape (rows,), at least one row.
        prediction: predicted values, shape (rows,), any floating dtype.
    """
    # Scale by a power of two (exact) and by the largest error, so that sums and squares of 1e300 do not overflow.
    unit = _exponent(target, prediction)
    error = np.ldexp(prediction.astype(np.float64), -unit) - np.ldexp(target, -unit)
    largest = float(np.abs(error).max()) or 1.0
    rmse = largest * float(np.sqrt(np.mean((error / largest) ** 2)))
    r2 = None
    if (target != target[0]).any():
        target_unit = _exponent(target)
        deviation = np.ldexp(target, -target_unit)
        deviation -= deviation.mean()
        deviation -= deviation.mean()  # removes what rounding left of a mean of 1e15
        spread = float(np.abs(deviation).max())
        ratio = min(float(np.ldexp(rmse / spread, min(unit - target_unit, 900))), 2.0**500)  # keeps R2 from overflowing
        r2 = 1 - ratio**2 / float(np.mean((deviation / spread) ** 2))
    return Metrics(
        rows=len(target),
        r2=r2,
        rmse=float(np.ldexp(rmse, unit)),
        mae=float(np.ldexp(np.abs(error).mean(), unit)),
    )


def _exponent(*arrays: NDArray[np.floating]) -> int:
    return int(np.frexp(max(float(np.abs(array).max()) for array in arrays))[1])
