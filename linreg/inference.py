"""Check that the predictions of a model rounded to its dtype are of use, and find the device of a gradient method."""

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from linreg.affine import Affine, predict
from linreg.config import DeviceChoice
from linreg.errors import DataError, LinregError
from linreg.metrics import Metrics, measure

if TYPE_CHECKING:
    import torch

COARSE = 0.01
"""Warn if rounding moves predictions by more than this fraction of the RMSE."""


def resolve_device(choice: DeviceChoice) -> "torch.device":
    """Resolve a device choice; `auto` uses CUDA if it is available.

    Raises:
        LinregError: CUDA is requested but not available.
    """
    import torch

    if choice is DeviceChoice.CUDA and not torch.cuda.is_available():
        raise LinregError("--device cuda: this torch sees no CUDA device; use --device cpu, and see 'linreg doctor'")
    if choice is DeviceChoice.AUTO:
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    return torch.device(choice.value)


def check_range(affine: Affine, features: NDArray[np.float64], names: tuple[str, ...]) -> None:
    """Check that the model's dtype can hold its parameters, the features and the predictions.

    Raises:
        DataError: the dtype cannot hold them; the message names the column at fault, if there is one.
    """
    dtype = affine.weight.dtype
    hint = "rescale the columns" if dtype == np.float64 else "use --dtype float64, or rescale the columns"
    if not all(np.isfinite(values).all() for values in affine.state().values()):
        raise DataError(f"the fitted coefficients exceed torch.{dtype}; {hint}")
    beyond = np.abs(features).max(axis=0, initial=0.0) > np.finfo(dtype).max
    if beyond.any():
        raise DataError(f"column {names[int(beyond.argmax())]!r} has values that exceed torch.{dtype}; {hint}")
    if not np.isfinite(predict(affine, features)).all():
        raise DataError(f"the predictions exceed torch.{dtype}; {hint}")


def check_usefulness(
    affine: Affine,
    features: NDArray[np.float64],
    target: NDArray[np.float64],
    metrics: Metrics,
    weight: NDArray[np.float64],
    bias: float,
) -> None:
    """Check that rounding does not make the model worse than a constant (than 0, for a model without a bias).

    Args:
        affine: holds `weight` and `bias` rounded to its dtype.
        features: features of the training part, shape (rows, features).
        target: target of the training part, shape (rows,).
        metrics: metrics of the model on the training part.
        weight: weight before rounding, shape (features,).
        bias: bias before rounding.

    Raises:
        DataError: the rounded model is worse than a constant, and the exact one is not.
    """
    if not worse_than_constant(metrics, target, bias=affine.bias is not None):
        return
    before = measure(target, features @ weight + bias)
    if worse_than_constant(before, target, bias=affine.bias is not None):
        return
    dtype = str(affine.weight.dtype)
    wider = "" if dtype == "float64" else "use --dtype float64, or "
    raise DataError(
        f"{dtype} is too coarse for these raw values: it takes the RMSE of the training part from {before.rmse:.3g} "
        f"to {metrics.rmse:.3g}, worse than a constant; {wider}shift the columns towards 0"
    )


def worse_than_constant(metrics: Metrics, target: NDArray[np.float64], *, bias: bool) -> bool:
    """Return whether predictions are worse than the target's mean (than 0 without a bias), beyond rounding errors."""
    if bias:
        return metrics.r2 is not None and metrics.r2 < -0.01
    return metrics.rmse > 1.005 * measure(target, np.zeros_like(target)).rmse


def coarseness(
    affine: Affine,
    features: NDArray[np.float64],
    target: NDArray[np.float64],
    weight: NDArray[np.float64],
    bias: float,
) -> list[str]:
    """Warn if the model's dtype is too coarse for the raw values, and say how large the effect is.

    Args:
        affine: holds `weight` and `bias` rounded to its dtype.
        features: features of the training part, shape (rows, features).
        target: target of the training part, shape (rows,).
        weight: weight before rounding, shape (features,).
        bias: bias before rounding.

    Returns:
        One warning, or none.
    """
    exact = features @ weight + bias
    effect = float(np.abs(predict(affine, features) - exact).max())
    noise = measure(target, exact).rmse
    if effect <= COARSE * max(noise, 1e-4 * float(np.ptp(target))):
        return []
    dtype = str(affine.weight.dtype)
    wider = "" if dtype == "float64" else "use --dtype float64, or "
    return [
        f"{dtype} is coarse for these raw values: it moves predictions by up to {effect:.3g} (RMSE {noise:.3g}); "
        f"{wider}shift the columns towards 0"
    ]
