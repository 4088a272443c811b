"""How good predictions are: R2, RMSE and MAE, in float64."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, kw_only=True)
class Metrics:
    """The fit of one part.

    Attributes:
        rows: how many.
        r2: the coefficient of determination; None where the target is constant.
        rmse: root mean squared error, in the target's unit.
        mae: mean absolute error, in the target's unit.
    """

    rows: int
    r2: float | None
    rmse: float
    mae: float


def measure(target: NDArray[np.float64], prediction: NDArray[np.floating]) -> Metrics:
    """Metrics of predictions, both of shape (rows,) with at least one row."""
    # In units of a power of two (exact) and of the largest error, so that neither sums nor squares of 1e300 overflow.
    unit = _exponent(target, prediction)
    error = np.ldexp(prediction.astype(np.float64), -unit) - np.ldexp(target, -unit)
    largest = float(np.abs(error).max()) or 1.0
    rmse = largest * float(np.sqrt(np.mean((error / largest) ** 2)))
    r2 = None
    if (target != target[0]).any():
        target_unit = _exponent(target)
        deviation = np.ldexp(target, -target_unit)
        deviation -= deviation.mean()
        deviation -= deviation.mean()  # what the rounding of a mean of 1e15 left
        spread = float(np.abs(deviation).max())
        ratio = min(float(np.ldexp(rmse / spread, min(unit - target_unit, 900))), 2.0**500)  # else R2 would overflow
        r2 = 1 - ratio**2 / float(np.mean((deviation / spread) ** 2))
    return Metrics(
        rows=len(target),
        r2=r2,
        rmse=float(np.ldexp(rmse, unit)),
        mae=float(np.ldexp(np.abs(error).mean(), unit)),
    )


def _exponent(*arrays: NDArray[np.floating]) -> int:
    return int(np.frexp(max(float(np.abs(array).max()) for array in arrays))[1])
