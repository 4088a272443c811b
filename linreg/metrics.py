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
    error = prediction.astype(np.float64) - target
    deviation = target - target.mean()
    # Divided by the largest first, so that squares of 1e300 do not overflow.
    largest = float(np.abs(error).max()) or 1.0
    spread = float(np.abs(deviation).max())
    rmse = largest * float(np.sqrt(np.mean((error / largest) ** 2)))
    r2 = None
    if spread > 0:
        r2 = 1 - (rmse / spread) ** 2 / float(np.mean((deviation / spread) ** 2))
    return Metrics(rows=len(target), r2=r2, rmse=rmse, mae=float(np.abs(error).mean()))
