"""Fit a model to the parts of a dataset, with a gradient method or the exact solution.

The gradient methods see a table standardised by its training part. The scaling is folded into weight and bias in
float64 afterwards, so that a model always takes raw features. A straight line is not standardised.
"""

from dataclasses import asdict, dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from linreg.affine import Affine, check_architecture, rounded
from linreg.card import BIAS_NAME, Card
from linreg.config import Method, TrainSettings
from linreg.data import Dataset, Parts, Scaler, fit_scaler
from linreg.device import resolve_device
from linreg.errors import LinregError
from linreg.exact_fit import warnings_of
from linreg.least_squares import LeastSquares, solve
from linreg.metrics import Metrics
from linreg.rating import rating_of
from linreg.scoring import Rounded, scores_of_rows
from linreg.state_dict import state_sha256

if TYPE_CHECKING:
    from collections.abc import Callable

    from linreg.batches import Rows
    from linreg.descent import Descent, HistoryRow, Model, Progress


@dataclass(frozen=True, kw_only=True)
class Fit:
    """A fitted model.

    Attributes:
        affine: the weight and the bias, rounded to the dtype of the model.
        history: empty for the exact method.
        interrupted_at: the last complete epoch, if the user interrupted training; else None.
        solution: the solution of the exact method; None for a gradient method.
        metrics: metrics of the saved model, by part.
        device: where the loop ran.
        warnings: what the user should know, one line each.
    """

    affine: Affine
    history: "tuple[HistoryRow, ...]"
    interrupted_at: int | None
    solution: LeastSquares | None
    metrics: dict[str, Metrics]
    device: str
    warnings: tuple[str, ...]

    @cached_property
    def model(self) -> "Model":
        """The model as a module of torch, on the CPU and in eval mode."""
        from linreg.models import module_of

        return module_of(self.affine)


def check_settings(settings: TrainSettings) -> None:
    """Raise LinregError for a setting that no run can use."""
    for name, value in (("epochs", settings.epochs), ("test-every", settings.test_every)):
        if not 1 <= value <= 10**9:
            raise LinregError(f"--{name}: got {value}, expected 1 to 1000000000")
    if settings.batch_size is not None and settings.batch_size < 1:
        raise LinregError(f"--batch-size: got {settings.batch_size}, expected at least 1")
    if settings.batch_size is not None and settings.method is Method.LBFGS:
        raise LinregError("--batch-size: L-BFGS needs all rows in each step; leave it out, or use --method adam")
    # Beyond 1e30 torch's optimizers cannot turn a multiple of the rate into float32.
    if settings.method is not Method.EXACT and not 0 < settings.learning_rate <= 1e30:
        raise LinregError(f"--lr: got {settings.learning_rate}, expected a number above 0, at most 1e30")
    if not 0 <= settings.seed < 2**63:
        raise LinregError(f"--seed: got {settings.seed}, expected 0 to 2^63 - 1")


def fit(
    dataset: Dataset,
    parts: Parts,
    settings: TrainSettings,
    *,
    progress: "Progress | None" = None,
    keep_on_interrupt: bool = False,
) -> Fit:
    """Fit a model to the training part.

    Args:
        dataset: gives the names, and whether the data are a line or a table.
        parts: the parts of the dataset.
        settings: how to fit.
        progress: called after each epoch with its number and train loss.
        keep_on_interrupt: on KeyboardInterrupt in a gradient method, return the best parameters so far.

    Raises:
        LinregError: a setting cannot be used, or the data do not suit the method or the dtype.
        TrainingError: the loss became NaN or infinite, columns are collinear, or an exact fit is worse than a constant.
    """
    check_settings(settings)
    check_architecture(settings.architecture, parts.train.features.shape[1], bias=settings.bias)
    found, solution = None, None
    if settings.method is Method.EXACT:
        solution, warnings = _solved(dataset, parts, settings)
        weight, bias = solution.weight, solution.bias
    else:
        found = _rows_in_memory(dataset, parts, settings, progress, keep_on_interrupt=keep_on_interrupt)
        weight, bias, warnings = found.weight, found.bias, found.warnings
    affine = rounded(settings.architecture, weight, bias if settings.bias else None, settings.dtype)
    model = Rounded(affine=affine, weight=weight, bias=bias if settings.bias else 0.0)
    scores = {name: scores_of_rows(model, part.features, part.target) for name, part in parts.items()}
    largest = np.max([np.abs(part.features).max(axis=0) for _, part in parts.items()], axis=0)
    rating = rating_of(model, scores, largest, dataset.feature_names, exact=solution is not None)
    return Fit(
        affine=affine,
        history=found.descent.history if found else (),
        interrupted_at=found.descent.interrupted_at if found else None,
        solution=solution,
        metrics=rating.metrics,
        device=found.device if found else "cpu",
        warnings=(*warnings, *rating.warnings),
    )


@dataclass(frozen=True, kw_only=True)
class Descended:
    """What a gradient method found.

    Attributes:
        weight: weight for raw features, shape (features,), float64.
        bias: bias for raw features.
        descent: how training went.
        device: where the loop ran.
        warnings: what the user should know, one line each.
    """

    weight: NDArray[np.float64]
    bias: float
    descent: "Descent"
    device: str
    warnings: list[str]


def descended(
    rows: "Callable[[Model], Rows]",
    names: tuple[str, ...],
    scaler: Scaler | None,
    settings: TrainSettings,
    *,
    progress: "Progress | None",
    keep_on_interrupt: bool,
) -> Descended:
    """Train a model with torch.

    Args:
        rows: makes the rows for a model, standardised by the scaler.
        names: names of the features.
        scaler: is folded into the result; None leaves it as it is.
        settings: how to train.
        progress: as in `fit`.
        keep_on_interrupt: as in `fit`.
    """
    import torch

    from linreg.descent import descend
    from linreg.models import affine_of, make_model, torch_dtype

    device = resolve_device(settings.device)
    torch.manual_seed(settings.seed)
    model = make_model(settings.architecture, len(names), bias=settings.bias, dtype=torch_dtype(settings.dtype))
    model = model.to(device)
    descent = descend(model, rows(model), settings, progress, keep_on_interrupt=keep_on_interrupt)
    affine = affine_of(model.cpu())
    assert affine is not None, "one of the course's two models"
    weight, bias = _fold(affine, scaler)
    warnings = [*descent.warnings, *_constant_columns(names, scaler)]
    return Descended(weight=weight, bias=bias, descent=descent, device=str(device), warnings=warnings)


def _rows_in_memory(
    dataset: Dataset,
    parts: Parts,
    settings: TrainSettings,
    progress: "Progress | None",
    *,
    keep_on_interrupt: bool,
) -> Descended:
    from linreg.batches import RowsInMemory

    scaler = None if dataset.line is not None else fit_scaler(parts.train, centre=settings.bias)
    return descended(
        lambda model: RowsInMemory(parts, scaler, model, batch_size=settings.batch_size, seed=settings.seed),
        dataset.feature_names,
        scaler,
        settings,
        progress=progress,
        keep_on_interrupt=keep_on_interrupt,
    )


def _solved(dataset: Dataset, parts: Parts, settings: TrainSettings) -> tuple[LeastSquares, list[str]]:
    """Return the exact solution for the training part, and warnings."""
    solution = solve(
        parts.train.features,
        parts.train.target,
        names=dataset.feature_names,
        intercept=settings.bias,
        allow_collinear=settings.allow_collinear,
    )
    return solution, warnings_of(solution)


def card_of(features: tuple[str, ...], target: str, data: dict[str, Any], settings: TrainSettings, result: Fit) -> Card:
    """Return the card of a fitted model.

    Args:
        features: names of the features.
        target: name of the target.
        data: what the card says about the data.
        settings: the settings that were used.
        result: the result of `fit`.
    """
    affine, solution = result.affine, result.solution
    errors = None if solution is None else solution.weight_errors
    coefficients = [
        {"name": name, "value": float(value), "standard_error": None if errors is None else float(errors[place])}
        for place, (name, value) in enumerate(zip(features, affine.weight[0], strict=True))
    ]
    if affine.bias is not None:
        error = None if solution is None else solution.bias_error
        coefficients.append({"name": BIAS_NAME, "value": float(affine.bias[0]), "standard_error": error})
    training = {**asdict(settings), "lr": settings.learning_rate, "device": result.device}
    if result.interrupted_at is not None:
        training["interrupted_at"] = result.interrupted_at
    return Card(
        architecture=settings.architecture,
        features=features,
        target=target,
        bias=settings.bias,
        dtype=settings.dtype,
        state_sha256=state_sha256(result.affine.state()),
        data=data,
        training=training,
        coefficients=coefficients,
        metrics={name: asdict(metrics) for name, metrics in result.metrics.items()},
        history=[asdict(row) for row in result.history],
    )


def _fold(affine: Affine, scaler: Scaler | None) -> tuple[NDArray[np.float64], float]:
    """Return the weight, of shape (features,), and the bias for raw features, in float64."""
    weight = affine.weight[0].astype(np.float64)
    bias = 0.0 if affine.bias is None else float(affine.bias[0])
    if scaler is None:
        return weight, bias
    with np.errstate(over="ignore", invalid="ignore"):  # check_range refuses what overflows here
        weight = weight * scaler.target_scale / scaler.feature_scale
        return weight, scaler.target_mean + scaler.target_scale * bias - float(weight @ scaler.feature_mean)


def _constant_columns(names: tuple[str, ...], scaler: Scaler | None) -> list[str]:
    places = [] if scaler is None else np.flatnonzero(np.isinf(scaler.feature_scale)).tolist()
    constant = [names[place] for place in places]
    return [f"column {name!r} is constant in the training part: its coefficient is 0" for name in constant]
