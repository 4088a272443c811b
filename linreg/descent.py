"""The training and testing loop of the gradient methods."""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from linreg.batches import Rows
from linreg.config import Loss, Method, TrainSettings
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
    rows: Rows,
    settings: TrainSettings,
    progress: Progress | None = None,
    *,
    keep_on_interrupt: bool = False,
) -> Descent:
    """Train a model in place.

    Args:
        model: the model with its initial parameters, on the device where the loop runs.
        rows: the batches of each epoch, and the held-out rows.
        settings: method, loss, learning rate and epochs.
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
        for epoch, train_loss, test_loss in _epochs(model, rows, settings):
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


def _epochs(model: Model, rows: Rows, settings: TrainSettings) -> Iterator[tuple[int, float, float | None]]:
    """Train epoch by epoch; yield the number of each epoch, its train loss, and its test loss if one is measured."""
    loss_fn, optimizer = loss_function(settings.loss), _optimizer(model, settings)
    for epoch in range(settings.epochs):
        loss = train_epoch(model, rows.batches(), loss_fn, optimizer)
        if not math.isfinite(loss):
            raise _diverged(epoch, loss, settings)
        test_loss = _test_loss(model, rows, loss_fn) if _is_recorded(epoch, settings) else None
        if test_loss is not None and not math.isfinite(test_loss):
            raise _diverged(epoch, test_loss, settings)
        yield epoch, loss, test_loss


def _test_loss(model: Model, rows: Rows, loss_fn: nn.Module) -> float | None:
    """Return the mean loss on the held-out rows, however they come; None if there are none."""
    count, mean = 0, 0.0
    for x, y in rows.held_out():
        count += len(x)
        mean += (test_epoch(model, x, y, loss_fn) - mean) * (len(x) / count)
    return mean if count else None


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
