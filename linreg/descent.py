"""The training and testing loop of the gradient methods."""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from linreg.config import Loss, Method, TrainSettings
from linreg.data import Part, Parts, Scaler
from linreg.errors import TrainingError
from linreg.models import LinearRegressionModel, LinearRegressionModelV2

Model = LinearRegressionModel | LinearRegressionModelV2
Progress = Callable[[int, float], None]


@dataclass(frozen=True, kw_only=True)
class HistoryRow:
    """The losses of one epoch.

    Attributes:
        epoch: counted from 0.
        train_loss: loss before each optimizer step, averaged over the rows of the epoch.
        test_loss: loss after the epoch, on the validation part if there is one, else on the test part; else None.
    """

    epoch: int
    train_loss: float
    test_loss: float | None


@dataclass(frozen=True, kw_only=True)
class Descent:
    """How training went.

    Attributes:
        history: one row every `test_every` epochs, and one for the last epoch.
        warnings: what the user should know, one line each.
        interrupted_at: the last complete epoch, if the user interrupted training; else None.
    """

    history: tuple[HistoryRow, ...]
    warnings: tuple[str, ...]
    interrupted_at: int | None


def loss_function(loss: Loss) -> nn.Module:
    """Return the loss, averaged over rows."""
    return {Loss.L1: nn.L1Loss(), Loss.MSE: nn.MSELoss(), Loss.HUBER: nn.HuberLoss()}[loss]


def train_epoch(
    model: nn.Module, batches: Iterator[tuple[Tensor, Tensor]], loss_fn: nn.Module, optimizer: torch.optim.Optimizer
) -> float:
    """Run one pass over the training data, and return the mean loss before each step.

    Each step computes the prediction and the loss, zeroes the gradients, backpropagates, and updates the parameters.
    """
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
    """Return the loss on held-out rows, in eval and inference mode."""
    model.eval()
    return float(loss_fn(model(x), y))


def descend(
    model: Model,
    parts: Parts,
    scaler: Scaler | None,
    settings: TrainSettings,
    progress: Progress | None = None,
    *,
    keep_on_interrupt: bool = False,
) -> Descent:
    """Train a model in place.

    Args:
        model: the model with its initial parameters, on the device where the loop runs.
        parts: the training part, and the held-out parts.
        scaler: standardises the rows; None leaves them raw.
        settings: method, loss, learning rate, epochs and batch size.
        progress: called after each epoch with its number and train loss.
        keep_on_interrupt: on KeyboardInterrupt, restore the parameters with the lowest train loss, and return.

    Raises:
        TrainingError: the loss became NaN or infinite.
        KeyboardInterrupt: the user interrupted training, and `keep_on_interrupt` is not set or no epoch is complete.
    """
    history: list[HistoryRow] = []
    first = last = math.inf
    best: tuple[float, list[Tensor]] | None = None
    epoch = 0
    try:
        before = _copies(model)
        for epoch, train_loss, test_loss in _epochs(model, parts, scaler, settings):
            first, last = train_loss if epoch == 0 else first, train_loss
            if _is_recorded(epoch, settings):
                history.append(HistoryRow(epoch=epoch, train_loss=train_loss, test_loss=test_loss))
            if keep_on_interrupt:
                # A train loss is that of the parameters before the epoch.
                best = (train_loss, before) if best is None or train_loss < best[0] else best
                before = _copies(model)
            if progress is not None:
                progress(epoch, train_loss)
    except KeyboardInterrupt:
        if best is None:
            raise
        _restore(model, best[1])
        return Descent(history=tuple(history), warnings=(), interrupted_at=epoch)
    if not all(bool(parameter.isfinite().all()) for parameter in model.parameters()):
        raise _diverged(settings.epochs - 1, math.nan, settings)
    rose = f"the train loss rose from {first:.3g} to {last:.3g}: try --lr {settings.learning_rate / 10:g}"
    return Descent(history=tuple(history), warnings=(rose,) if last > 2 * first else (), interrupted_at=None)


def _epochs(
    model: Model, parts: Parts, scaler: Scaler | None, settings: TrainSettings
) -> Iterator[tuple[int, float, float | None]]:
    """Train epoch by epoch; yield the number of each epoch, its train loss, and its test loss if one is measured."""
    x, y = _tensors(parts.train, scaler, model)
    watched = parts.validation or parts.test
    held_out = None if watched is None else _tensors(watched, scaler, model)
    loss_fn, optimizer = loss_function(settings.loss), _optimizer(model, settings)
    generator = torch.Generator().manual_seed(settings.seed)
    for epoch in range(settings.epochs):
        loss = train_epoch(model, _batches(x, y, settings.batch_size, generator), loss_fn, optimizer)
        if not math.isfinite(loss):
            raise _diverged(epoch, loss, settings)
        test_loss = None
        if held_out is not None and _is_recorded(epoch, settings):
            test_loss = test_epoch(model, *held_out, loss_fn)
            if not math.isfinite(test_loss):
                raise _diverged(epoch, test_loss, settings)
        yield epoch, loss, test_loss


def _is_recorded(epoch: int, settings: TrainSettings) -> bool:
    return epoch % settings.test_every == 0 or epoch == settings.epochs - 1


def _copies(model: Model) -> list[Tensor]:
    return [parameter.detach().clone() for parameter in model.parameters()]


@torch.no_grad()
def _restore(model: Model, values: list[Tensor]) -> None:
    for parameter, value in zip(model.parameters(), values, strict=True):
        parameter.copy_(value)


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
    # With its default tolerances L-BFGS would stop after three digits.
    return torch.optim.LBFGS(parameters, rate, line_search_fn="strong_wolfe", tolerance_grad=0, tolerance_change=0)


def _tensors(part: Part, scaler: Scaler | None, model: Model) -> tuple[Tensor, Tensor]:
    """Return features (rows, features) and target (rows, 1), in the model's dtype and on its device.

    They are standardised if there is a scaler.
    """
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
