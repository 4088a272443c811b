"""The five steps of the loop, minibatches, and the history and progress of a fit."""

import math
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from linreg import descent
from linreg.config import LineSettings, Loss, Method
from linreg.data import split, straight_line
from linreg.descent import loss_function, train_epoch
from linreg.training import fit
from tests.training_problems import CPU, EXACT, coefficients, fitted, line_parts, problem


# The five steps
class Spy(nn.Module):
    """A line that writes down what happens to it and in which mode."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(1))
        self.seen: list[str] = []
        self.weight.register_hook(lambda _gradient: self.seen.append("backward"))

    def forward(self, x: Tensor) -> Tensor:
        mode = "train" if self.training else "eval"
        if torch.is_inference_mode_enabled():
            mode += " inference"
        self.seen.append(f"forward {mode}")
        return x * self.weight


class SpyLoss(nn.Module):
    def __init__(self, seen: list[str]) -> None:
        super().__init__()
        self.seen = seen

    def forward(self, prediction: Tensor, target: Tensor) -> Tensor:
        self.seen.append("loss")
        return ((prediction - target) ** 2).mean()


class SpySGD(torch.optim.SGD):
    def __init__(self, model: Spy) -> None:
        super().__init__(model.parameters(), lr=0.25)
        self.seen = model.seen

    def zero_grad(self, set_to_none: bool = True) -> None:
        self.seen.append("zero_grad")
        super().zero_grad(set_to_none)

    def step(self, closure: Any = None) -> Any:
        self.seen.append("step")
        return super().step(closure)


X, Y = torch.tensor([[1.0], [2.0]]), torch.tensor([[2.0], [4.0]])


def test_the_five_steps_in_their_order_in_train_mode() -> None:
    model = Spy().eval()
    loss = train_epoch(model, iter([(X, Y)]), SpyLoss(model.seen), SpySGD(model))
    assert model.seen == ["forward train", "loss", "zero_grad", "backward", "step"]
    assert loss == 10.0  # before the step
    assert model.weight.item() == 0.25 * 10  # w -= lr * mean(2 x (w x - y))


def test_gradients_are_zeroed_between_batches_and_the_loss_is_the_mean_over_rows() -> None:
    model = Spy()
    batches = [(X, Y), (X[:1], Y[:1])]
    loss = train_epoch(model, iter(batches), SpyLoss(model.seen), SpySGD(model))
    assert model.seen == ["forward train", "loss", "zero_grad", "backward", "step"] * 2
    assert loss == (10.0 * 2 + (2.5 - 2) ** 2) / 3
    assert model.weight.item() == 2.5 - 0.25 * 2 * (2.5 - 2)


def test_held_out_rows_in_eval_and_inference_mode() -> None:
    model = Spy().train()
    loss = descent.test_epoch(model, X, Y, SpyLoss(model.seen))
    assert model.seen == ["forward eval inference", "loss"]
    assert loss == 10.0
    assert model.weight.item() == 0
    assert not torch.is_inference_mode_enabled()


def test_lbfgs_takes_the_first_four_steps_as_often_as_it_needs() -> None:
    model = Spy()
    optimizer = torch.optim.LBFGS(model.parameters(), lr=1, line_search_fn="strong_wolfe")
    loss = train_epoch(model, iter([(X, Y)]), SpyLoss(model.seen), optimizer)
    assert loss == 10.0
    assert model.seen.count("backward") == model.seen.count("loss") > 1
    assert model.weight.item() == pytest.approx(2.0, abs=1e-6)


@pytest.mark.parametrize(
    ("loss", "wanted"), [(Loss.L1, (0.5 + 3) / 2), (Loss.MSE, (0.25 + 9) / 2), (Loss.HUBER, (0.125 + 2.5) / 2)]
)
def test_losses_by_hand(loss: Loss, wanted: float) -> None:
    assert loss_function(loss)(torch.tensor([0.5, -3.0]), torch.zeros(2)).item() == wanted


# Minibatches
@pytest.mark.parametrize("size", [1, 7, 95, 96, 1000])
def test_minibatches_see_every_row_once_an_epoch(size: int, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[list[float]] = []

    def spy(model: nn.Module, batches: Iterator[tuple[Tensor, Tensor]], *rest: Any) -> float:
        pairs = list(batches)
        assert all(len(x) == len(y) for x, y in pairs)
        assert [len(x) for x, _ in pairs] == [size] * (96 // size) + [96 % size] * (96 % size > 0)
        seen.append(torch.cat([y for _, y in pairs]).ravel().tolist())
        assert all(torch.equal(2 * x + 1, y) for x, y in pairs)  # a row stays together
        return train_epoch(model, iter(pairs), *rest)

    monkeypatch.setattr(descent, "train_epoch", spy)
    dataset = straight_line(LineSettings(weight=2, bias=1, start=0, end=96, step=1))
    fit(dataset, split(dataset, (1.0,), shuffle_seed=None), replace(CPU, batch_size=size, epochs=3, lr=1e-6))
    assert [sorted(epoch) for epoch in seen] == [[2.0 * x + 1 for x in range(96)]] * 3
    assert seen[0] != seen[1] != seen[2] != sorted(seen[0])


def test_without_a_batch_size_the_rows_keep_their_order(monkeypatch: pytest.MonkeyPatch) -> None:
    def spy(model: nn.Module, batches: Iterator[tuple[Tensor, Tensor]], *rest: Any) -> float:
        ((x, y),) = batches
        assert x.ravel().tolist() == sorted(x.ravel().tolist())
        return train_epoch(model, iter([(x, y)]), *rest)

    monkeypatch.setattr(descent, "train_epoch", spy)
    dataset = straight_line(LineSettings())
    fit(dataset, split(dataset, (0.8, 0.2), shuffle_seed=None), CPU)


def test_minibatches_reach_the_least_squares() -> None:
    features, target = problem(noise=0.1)
    result = fitted(features, target, replace(CPU, method=Method.ADAM, lr=0.01, epochs=200, batch_size=16))
    assert result.metrics["test"].mae == pytest.approx(fitted(features, target, EXACT).metrics["test"].mae, rel=0.05)


def test_the_history_holds_every_so_many_epochs_and_the_last_and_progress_every_one() -> None:
    epochs: list[int] = []
    losses: list[float] = []

    def progress(epoch: int, loss: float) -> None:
        epochs.append(epoch)
        losses.append(loss)

    result = fit(*line_parts(), replace(CPU, epochs=25, test_every=10), progress=progress)
    assert [row.epoch for row in result.history] == [0, 10, 20, 24]
    assert epochs == list(range(25))
    assert [row.train_loss for row in result.history] == [losses[0], losses[10], losses[20], losses[24]]


@pytest.mark.parametrize(
    ("fractions", "watched"), [((0.8, 0.2), "test"), ((0.6, 0.2, 0.2), "validation"), ((1.0,), None)]
)
def test_the_validation_part_is_watched_where_there_is_one(fractions: tuple[float, ...], watched: str | None) -> None:
    dataset, parts = line_parts(fractions)
    result = fit(dataset, parts, replace(CPU, epochs=11, test_every=10, loss=Loss.L1))
    assert [*result.metrics] == [name for name, _ in parts.items()]
    if watched is None:
        assert [row.test_loss for row in result.history] == [None, None]
    else:
        assert result.history[-1].test_loss == pytest.approx(result.metrics[watched].mae, rel=1e-6)
        others = [metrics.mae for name, metrics in result.metrics.items() if name != watched]
        assert all(mae != pytest.approx(result.metrics[watched].mae, rel=1e-3) for mae in others)


def test_metrics_are_of_the_saved_model() -> None:
    features, target = problem()
    result = fitted(features, target, replace(CPU, epochs=50, lr=0.1))
    error = features[96:] @ coefficients(result)[:3] + coefficients(result)[3] - target[96:]
    assert result.metrics["test"].mae == pytest.approx(np.abs(error).mean(), rel=1e-5)
    assert result.metrics["test"].rmse == pytest.approx(math.sqrt((error**2).mean()), rel=1e-5)
