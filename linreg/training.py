"""From parts to a fitted model: the course's training and testing loop, or the exact solution.

The gradient methods see a table standardised by its training part; the scaling is folded into weight and bias in
float64 afterwards, so that a model always takes raw features. The line stays raw, as in the course.
"""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from linreg.config import Loss, Method, TrainSettings
from linreg.data import Dataset, Part, Parts, Scaler, fit_scaler
from linreg.errors import LinregError, TrainingError
from linreg.inference import (
    check_range,
    check_usefulness,
    coarseness,
    predict,
    resolve_device,
    worse_than_constant,
)
from linreg.least_squares import LeastSquares, solve
from linreg.metrics import Metrics, measure
from linreg.models import LinearRegressionModel, LinearRegressionModelV2, affine_of, make_model, set_affine, torch_dtype

Model = LinearRegressionModel | LinearRegressionModelV2
Progress = Callable[[int, float], None]


@dataclass(frozen=True, kw_only=True)
class HistoryRow:
    """One line of the history.

    Attributes:
        epoch: counted from 0.
        train_loss: before the epoch's step (the mean over its batches).
        test_loss: after it, on the validation part, or on the test part where there is no validation; None without.
    """

    epoch: int
    train_loss: float
    test_loss: float | None


@dataclass(frozen=True, kw_only=True)
class Fit:
    """A fitted model.

    Attributes:
        model: on the CPU, in eval mode.
        history: empty for the exact method.
        solution: of the exact method, else None.
        metrics: by part, of the saved model.
        device: where the loop ran.
        warnings: what the user should know, a line each.
    """

    model: Model
    history: tuple[HistoryRow, ...]
    solution: LeastSquares | None
    metrics: dict[str, Metrics]
    device: str
    warnings: tuple[str, ...]


def check_settings(settings: TrainSettings) -> None:
    """Raise LinregError, in one line, for a setting that no run can use."""
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


def fit(dataset: Dataset, parts: Parts, settings: TrainSettings, *, progress: Progress | None = None) -> Fit:
    """Fit a model to the training part.

    Args:
        dataset: names, and whether this is a line (`truth` is set) or a table.
        parts: its parts.
        settings: how.
        progress: called after each epoch with its number and train loss.

    Raises:
        LinregError: a setting cannot be used, or the data and the method or the dtype do not fit together.
        TrainingError: the loss became NaN or infinite, columns are collinear, or an exact fit is worse than a constant.
    """
    check_settings(settings)
    device = resolve_device(settings.device)
    torch.manual_seed(settings.seed)
    features = parts.train.features.shape[1]
    model = make_model(settings.architecture, features, bias=settings.bias, dtype=torch_dtype(settings.dtype))
    history, warnings, solution = list[HistoryRow](), list[str](), None
    if settings.method is Method.EXACT:
        solution = solve(
            parts.train.features,
            parts.train.target,
            names=dataset.feature_names,
            intercept=settings.bias,
            allow_collinear=settings.allow_collinear,
        )
        if solution.collinear:
            names = ", ".join(solution.collinear)
            warnings.append(f"collinear columns ({names}): rank {solution.rank}, this is the minimum-norm solution")
        weight, bias = solution.weight, solution.bias
    else:
        scaler = None if dataset.truth is not None else fit_scaler(parts.train, centre=settings.bias)
        history, warnings = _descend(model.to(device), parts, scaler, settings, progress)
        weight, bias = _fold(model.cpu(), scaler)
        warnings += _constant_columns(dataset, scaler)
    set_affine(model, weight, bias)
    model.eval()
    for _, part in parts.items():
        check_range(model, part.features, dataset.feature_names)
    metrics = {name: measure(part.target, predict(model, part.features)) for name, part in parts.items()}
    check_usefulness(model, parts.train.features, parts.train.target, metrics["train"], weight, bias)
    if solution is not None and worse_than_constant(metrics["train"], parts.train.target, bias=settings.bias):
        raise TrainingError(  # which least squares cannot be
            f"exact fit: rounding leaves an RMSE of {metrics['train'].rmse:.3g} on the training part, worse than a "
            "constant; columns are nearly linear combinations of each other: leave some out with --features"
        )
    warnings += coarseness(model, parts.train.features, parts.train.target, weight, bias)
    return Fit(
        model=model,
        history=tuple(history),
        solution=solution,
        metrics=metrics,
        device="cpu" if settings.method is Method.EXACT else str(device),
        warnings=tuple(warnings),
    )


def loss_function(loss: Loss) -> nn.Module:
    """The loss, averaged over rows."""
    return {Loss.L1: nn.L1Loss(), Loss.MSE: nn.MSELoss(), Loss.HUBER: nn.HuberLoss()}[loss]


def train_epoch(
    model: nn.Module, batches: Iterator[tuple[Tensor, Tensor]], loss_fn: nn.Module, optimizer: torch.optim.Optimizer
) -> float:
    """One pass over the training data in the course's five steps; returns the mean loss before each step."""
    model.train()
    total, rows = 0.0, 0
    for x, y in batches:

        def step(x: Tensor = x, y: Tensor = y) -> Tensor:
            prediction = model(x)  # 1. forward pass
            loss: Tensor = loss_fn(prediction, y)  # 2. loss
            optimizer.zero_grad()  # 3. zero the gradients
            loss.backward()  # type: ignore[no-untyped-call]  # 4. backpropagation
            return loss

        if isinstance(optimizer, torch.optim.LBFGS):
            loss = optimizer.step(step)  # type: ignore[no-untyped-call]  # L-BFGS calls the first four steps as often as its line search needs
        else:
            loss = step()
            optimizer.step()  # 5. step
        total += loss.item() * len(x)
        rows += len(x)
    return total / rows


@torch.inference_mode()
def test_epoch(model: nn.Module, x: Tensor, y: Tensor, loss_fn: nn.Module) -> float:
    """The loss on held-out rows, in eval and inference mode."""
    model.eval()
    return float(loss_fn(model(x), y))


def _descend(
    model: Model, parts: Parts, scaler: Scaler | None, settings: TrainSettings, progress: Progress | None
) -> tuple[list[HistoryRow], list[str]]:
    x, y = _tensors(parts.train, scaler, model)
    watched = parts.validation or parts.test
    held_out = None if watched is None else _tensors(watched, scaler, model)
    loss_fn, optimizer = loss_function(settings.loss), _optimizer(model, settings)
    generator = torch.Generator().manual_seed(settings.seed)
    history, first = [], math.inf
    for epoch in range(settings.epochs):
        train_loss = train_epoch(model, _batches(x, y, settings.batch_size, generator), loss_fn, optimizer)
        if not math.isfinite(train_loss):
            raise _diverged(epoch, train_loss, settings)
        first = train_loss if epoch == 0 else first
        if epoch % settings.test_every == 0 or epoch == settings.epochs - 1:
            test_loss = None if held_out is None else test_epoch(model, *held_out, loss_fn)
            if test_loss is not None and not math.isfinite(test_loss):
                raise _diverged(epoch, test_loss, settings)
            history.append(HistoryRow(epoch=epoch, train_loss=train_loss, test_loss=test_loss))
        if progress is not None:
            progress(epoch, train_loss)
    if not all(bool(parameter.isfinite().all()) for parameter in model.parameters()):
        raise _diverged(settings.epochs - 1, math.nan, settings)
    rose = f"the train loss rose from {first:.3g} to {train_loss:.3g}: try --lr {settings.learning_rate / 10:g}"
    return history, [rose] if train_loss > 2 * first else []


def _diverged(epoch: int, loss: float, settings: TrainSettings) -> TrainingError:
    return TrainingError(
        f"the loss became {loss} at epoch {epoch} with --lr {settings.learning_rate:g}; nothing was written; "
        f"try --lr {settings.learning_rate / 10:g}, --loss huber, or --method exact"
    )


def _optimizer(model: Model, settings: TrainSettings) -> torch.optim.Optimizer:
    parameters, rate = model.parameters(), settings.learning_rate
    if settings.method is Method.SGD:
        return torch.optim.SGD(parameters, lr=rate)
    if settings.method is Method.ADAM:
        return torch.optim.Adam(parameters, lr=rate)
    # Its own tolerances would end it after three digits.
    return torch.optim.LBFGS(parameters, rate, line_search_fn="strong_wolfe", tolerance_grad=0, tolerance_change=0)


def _tensors(part: Part, scaler: Scaler | None, model: Model) -> tuple[Tensor, Tensor]:
    """Features (rows, features) and target (rows, 1), standardised, in the model's dtype and on its device."""
    x, y = part.features, part.target
    if scaler is not None:
        x = (x - scaler.feature_mean) / scaler.feature_scale
        y = (y - scaler.target_mean) / scaler.target_scale
    like = next(model.parameters())
    return torch.from_numpy(x).to(like), torch.from_numpy(y[:, None]).to(like)


def _batches(x: Tensor, y: Tensor, size: int | None, generator: torch.Generator) -> Iterator[tuple[Tensor, Tensor]]:
    if size is None:
        yield x, y
        return
    for rows in torch.split(torch.randperm(len(x), generator=generator).to(x.device), size):
        yield x[rows], y[rows]


def _fold(model: Model, scaler: Scaler | None) -> tuple[NDArray[np.float64], float]:
    """Weight (features,) and bias for raw features, in float64."""
    affine = affine_of(model)
    assert affine is not None
    weight = affine.weight[0].astype(np.float64)
    bias = 0.0 if affine.bias is None else float(affine.bias[0])
    if scaler is None:
        return weight, bias
    with np.errstate(over="ignore", invalid="ignore"):  # check_range refuses what overflows here
        weight = weight * scaler.target_scale / scaler.feature_scale
        return weight, scaler.target_mean + scaler.target_scale * bias - float(weight @ scaler.feature_mean)


def _constant_columns(dataset: Dataset, scaler: Scaler | None) -> list[str]:
    places = [] if scaler is None else np.flatnonzero(np.isinf(scaler.feature_scale)).tolist()
    constant = [dataset.feature_names[place] for place in places]
    return [f"column {name!r} is constant in the training part: its coefficient is 0" for name in constant]
