"""Judge a fitted model by its scores: whether its dtype can hold it, and whether it is of use."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from linreg.config import Precision
from linreg.errors import DataError, TrainingError
from linreg.metrics import Errors, Metrics
from linreg.scoring import Rounded, Scores

Array = NDArray[np.float64]

COARSE = 0.01
"""Warn if rounding moves predictions by more than this fraction of the RMSE."""


@dataclass(frozen=True, kw_only=True)
class Rating:
    """How good a model is.

    Attributes:
        metrics: metrics of the model rounded to its dtype, by part.
        warnings: what the user should know, one line each.
    """

    metrics: dict[str, Metrics]
    warnings: tuple[str, ...]


def rating_of(
    model: Rounded, scores: Mapping[str, Scores], largest: Array, names: tuple[str, ...], *, exact: bool
) -> Rating:
    """Check a model, and return its metrics.

    Args:
        model: the model.
        scores: its scores by part; the first part is for training.
        largest: largest absolute value of each feature.
        names: names of the features.
        exact: whether it is the exact solution, which is never worse than a constant before rounding.

    Raises:
        DataError: the dtype cannot hold the data or the model, or rounding makes the model useless.
        TrainingError: an exact solution is worse than a constant.
    """
    check_range(model, largest, list(scores.values()), names)
    train, bias = next(iter(scores.values())), model.affine.bias is not None
    check_usefulness(train, model.dtype, bias=bias)
    if exact and worse_than_constant(train.rounded, bias=bias):
        raise TrainingError(
            f"exact fit: rounding leaves an RMSE of {train.rounded.metrics.rmse:.3g} on the training part, worse "
            "than a constant; columns are nearly linear combinations of each other: leave some out with --features"
        )
    return Rating(
        metrics={name: one.rounded.metrics for name, one in scores.items()},
        warnings=tuple(coarseness(train, model.dtype)),
    )


def check_range(model: Rounded, largest: Array, scores: Sequence[Scores], names: tuple[str, ...]) -> None:
    """Check that the model's dtype can hold its parameters, the features and the predictions.

    Args:
        model: the model.
        largest: largest absolute value of each feature.
        scores: scores of all rows.
        names: names of the features.

    Raises:
        DataError: the dtype cannot hold them; the message names the column at fault, if there is one.
    """
    wide = model.dtype is Precision.FLOAT64
    hint = "rescale the columns" if wide else "use --dtype float64, or rescale the columns"
    if not all(np.isfinite(values).all() for values in model.affine.state().values()):
        raise DataError(f"the fitted coefficients exceed torch.{model.dtype}; {hint}")
    beyond = largest > float(np.finfo(model.dtype).max)
    if beyond.any():
        raise DataError(f"column {names[int(beyond.argmax())]!r} has values that exceed torch.{model.dtype}; {hint}")
    if not all(one.finite for one in scores):
        raise DataError(f"the predictions exceed torch.{model.dtype}; {hint}")


def check_usefulness(train: Scores, dtype: Precision, *, bias: bool) -> None:
    """Check that rounding does not make the model worse than a constant (than 0, for a model without a bias).

    Args:
        train: scores of the training part.
        dtype: dtype of the model.
        bias: whether the model has a bias.

    Raises:
        DataError: the rounded model is worse than a constant, and the exact one is not.
    """
    if not worse_than_constant(train.rounded, bias=bias) or worse_than_constant(train.exact, bias=bias):
        return
    wider = "" if dtype is Precision.FLOAT64 else "use --dtype float64, or "
    raise DataError(
        f"{dtype} is too coarse for these raw values: it takes the RMSE of the training part from "
        f"{train.exact.metrics.rmse:.3g} to {train.rounded.metrics.rmse:.3g}, worse than a constant; {wider}shift the "
        "columns towards 0"
    )


def worse_than_constant(errors: Errors, *, bias: bool) -> bool:
    """Return whether predictions are worse than the target's mean (than 0 without a bias), beyond rounding errors."""
    metrics = errors.metrics
    if bias:
        return metrics.r2 is not None and metrics.r2 < -0.01
    return metrics.rmse > 1.005 * errors.target.root_mean_square


def coarseness(train: Scores, dtype: Precision) -> list[str]:
    """Warn if the model's dtype is too coarse for the raw values, and say how large the effect is.

    Args:
        train: scores of the training part.
        dtype: dtype of the model.

    Returns:
        One warning, or none.
    """
    noise, target = train.exact.metrics.rmse, train.exact.target
    if train.effect <= COARSE * max(noise, 1e-4 * (target.high - target.low)):
        return []
    # Read on the command line and in Python.
    wider = "" if dtype is Precision.FLOAT64 else "train with dtype float64, or "
    return [
        f"{dtype} is coarse for these raw values: it moves predictions by up to {train.effect:.3g} (RMSE {noise:.3g}); "
        f"{wider}shift the columns towards 0"
    ]
