"""Predict the way inference should run: in eval mode, without gradients, and with everything on one device."""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from linreg.config import DeviceChoice
from linreg.errors import DataError, LinregError
from linreg.metrics import Metrics, measure

CHUNK_ROWS = 2**18
COARSE = 0.01
"""Warn if rounding moves predictions by more than this fraction of the RMSE."""


def resolve_device(choice: DeviceChoice) -> torch.device:
    """Resolve a device choice; `auto` uses CUDA if it is available.

    Raises:
        LinregError: CUDA is requested but not available.
    """
    if choice is DeviceChoice.CUDA and not torch.cuda.is_available():
        raise LinregError("--device cuda: this torch sees no CUDA device; use --device cpu, and see 'linreg doctor'")
    if choice is DeviceChoice.AUTO:
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    return torch.device(choice.value)


def predict(model: nn.Module, features: NDArray[np.float64]) -> NDArray[np.floating]:
    """Predict with a model that has a single output.

    Args:
        model: a linear model, which is left in eval mode.
        features: raw values, shape (rows, features), any layout and byte order; rounded to the model's dtype.

    Returns:
        Predictions, shape (rows,), in the model's dtype.
    """
    parameter = next(model.parameters())
    model.eval()
    with torch.inference_mode():
        chunks = []
        for start in range(0, len(features), CHUNK_ROWS):
            # torch accepts no foreign byte order, negative stride or read-only array, and rounds by memory layout.
            rows = torch.from_numpy(np.require(features[start : start + CHUNK_ROWS], np.float64, ["C", "W"]))
            chunks.append(model(rows.to(parameter.device, parameter.dtype)).cpu())
        outputs = torch.cat(chunks) if chunks else torch.empty((0, 1), dtype=parameter.dtype)
    return np.asarray(outputs.squeeze(1).numpy())


def check_range(model: nn.Module, features: NDArray[np.float64], names: tuple[str, ...]) -> None:
    """Check that the model's dtype can hold its parameters, the features and the predictions.

    Raises:
        DataError: the dtype cannot hold them; the message names the column at fault, if there is one.
    """
    dtype = next(model.parameters()).dtype
    hint = "rescale the columns" if dtype == torch.float64 else "use --dtype float64, or rescale the columns"
    if not all(bool(parameter.isfinite().all()) for parameter in model.parameters()):
        raise DataError(f"the fitted coefficients exceed {dtype}; {hint}")
    beyond = np.abs(features).max(axis=0, initial=0.0) > torch.finfo(dtype).max
    if beyond.any():
        raise DataError(f"column {names[int(beyond.argmax())]!r} has values that exceed {dtype}; {hint}")
    if not np.isfinite(predict(model, features)).all():
        raise DataError(f"the predictions exceed {dtype}; {hint}")


def check_usefulness(
    model: nn.Module,
    features: NDArray[np.float64],
    target: NDArray[np.float64],
    metrics: Metrics,
    weight: NDArray[np.float64],
    bias: float,
) -> None:
    """Check that rounding does not make the model worse than a constant (than 0, for a model without a bias).

    Args:
        model: holds `weight` and `bias` rounded to its dtype.
        features: features of the training part, shape (rows, features).
        target: target of the training part, shape (rows,).
        metrics: metrics of the model on the training part.
        weight: weight before rounding, shape (features,).
        bias: bias before rounding.

    Raises:
        DataError: the rounded model is worse than a constant, and the exact one is not.
    """
    parameters = list(model.parameters())
    if not worse_than_constant(metrics, target, bias=len(parameters) > 1):
        return
    before = measure(target, features @ weight + bias)
    if worse_than_constant(before, target, bias=len(parameters) > 1):
        return
    dtype = str(parameters[0].dtype).removeprefix("torch.")
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
    model: nn.Module,
    features: NDArray[np.float64],
    target: NDArray[np.float64],
    weight: NDArray[np.float64],
    bias: float,
) -> list[str]:
    """Warn if the model's dtype is too coarse for the raw values, and say how large the effect is.

    Args:
        model: holds `weight` and `bias` rounded to its dtype.
        features: features of the training part, shape (rows, features).
        target: target of the training part, shape (rows,).
        weight: weight before rounding, shape (features,).
        bias: bias before rounding.

    Returns:
        One warning, or none.
    """
    exact = features @ weight + bias
    effect = float(np.abs(predict(model, features) - exact).max())
    noise = measure(target, exact).rmse
    if effect <= COARSE * max(noise, 1e-4 * float(np.ptp(target))):
        return []
    dtype = str(next(model.parameters()).dtype).removeprefix("torch.")
    wider = "" if dtype == "float64" else "use --dtype float64, or "
    return [
        f"{dtype} is coarse for these raw values: it moves predictions by up to {effect:.3g} (RMSE {noise:.3g}); "
        f"{wider}shift the columns towards 0"
    ]
