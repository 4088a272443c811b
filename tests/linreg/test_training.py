"""The loop, the methods, the scaling and its folding, and what a fit warns of or refuses."""

import math
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from linreg import descent, training
from linreg.checkpoint import state_bytes
from linreg.config import Architecture, DeviceChoice, LineSettings, Loss, Method, Precision, TrainSettings
from linreg.data import Dataset, Part, Parts, read_dataset, split, straight_line
from linreg.descent import loss_function, train_epoch
from linreg.errors import DataError, LinregError, TrainingError
from linreg.inference import predict
from linreg.models import LinearRegressionModel, LinearRegressionModelV2
from linreg.training import Fit, check_settings, fit
from tests.conftest import ROOT, TESTS

Array = NDArray[np.float64]
PENGUINS = TESTS / "data" / "penguins.csv"
NUMERIC = ("bill_length_mm", "bill_depth_mm", "flipper_length_mm")

CPU = TrainSettings(device=DeviceChoice.CPU, loss=Loss.MSE, epochs=5)
EXACT = replace(CPU, method=Method.EXACT)
GRADIENT = (Method.SGD, Method.ADAM, Method.LBFGS)


def table(features: Array, target: Array) -> Dataset:
    return Dataset(
        features=features,
        target=target,
        feature_names=tuple(f"x{place}" for place in range(features.shape[1])),
        target_name="y",
        truth=None,
        table=None,
        sha256="0" * 64,
    )


def problem(rows: int = 120, columns: int = 3, noise: float = 0.5) -> tuple[Array, Array]:
    generator = np.random.default_rng(0)
    features = generator.normal(size=(rows, columns)) * 10.0 ** np.arange(columns) + 5
    return features, features @ np.linspace(1, 2, columns) + 3 + noise * generator.normal(size=rows)


def fitted(features: Array, target: Array, settings: TrainSettings, fractions: tuple[float, ...] = (0.8, 0.2)) -> Fit:
    dataset = table(features, target)
    return fit(dataset, split(dataset, fractions, shuffle_seed=None), settings)


def coefficients(result: Fit) -> Array:
    return np.concatenate([value.detach().double().numpy().ravel() for value in result.model.parameters()])


def least_squares(features: Array, target: Array, *, bias: bool = True) -> Array:
    matrix = np.column_stack([features, np.ones(len(target))]) if bias else features
    return np.asarray(np.linalg.lstsq(matrix, target, rcond=None)[0])


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


# Methods


@pytest.mark.parametrize("precision", list(Precision))
def test_exact(precision: Precision) -> None:
    features, target = problem()
    result = fitted(features, target, replace(EXACT, dtype=precision))
    wanted = least_squares(features[:96], target[:96])
    assert coefficients(result) == pytest.approx(wanted, rel=1e-12 if precision is Precision.FLOAT64 else 1e-7)
    assert result.solution is not None
    assert result.solution.weight == pytest.approx(wanted[:3], rel=1e-12)
    assert result.history == ()
    assert result.device == "cpu"
    assert result.warnings == ()
    assert not result.model.training


RATES = {Method.SGD: 0.1, Method.ADAM: 0.05, Method.LBFGS: 1.0}


@pytest.mark.parametrize("architecture", list(Architecture))
@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("method", GRADIENT)
def test_every_method_reaches_the_least_squares(method: Method, bias: bool, architecture: Architecture) -> None:
    if architecture is Architecture.PARAMETER and not bias:
        with pytest.raises(LinregError, match="always has a bias"):
            fitted(*problem(columns=1), replace(CPU, architecture=architecture, bias=False))
        return
    features, target = problem(columns=1 if architecture is Architecture.PARAMETER else 3)
    settings = replace(
        CPU, method=method, lr=RATES[method], epochs=600, bias=bias, dtype=Precision.FLOAT64, architecture=architecture
    )
    result = fitted(features, target, settings)
    assert coefficients(result) == pytest.approx(least_squares(features[:96], target[:96], bias=bias), rel=1e-4)
    assert result.solution is None
    assert result.warnings == ()


def test_lbfgs_reaches_it_in_a_few_epochs_at_its_own_rate() -> None:
    features, target = problem()
    result = fitted(features, target, replace(CPU, method=Method.LBFGS, epochs=5, dtype=Precision.FLOAT64))
    assert coefficients(result) == pytest.approx(least_squares(features[:96], target[:96]), rel=1e-9)


def test_l1_and_huber_shrug_off_an_outlier() -> None:
    features, target = problem(columns=1, noise=0.01)
    target[3] += 300
    settings = replace(CPU, method=Method.ADAM, lr=0.002, epochs=2000)
    slopes = {loss: coefficients(fitted(features, target, replace(settings, loss=loss)))[0] for loss in Loss}
    assert abs(slopes[Loss.L1] - 1) < 0.1
    assert abs(slopes[Loss.MSE] - 1) > 5 * abs(slopes[Loss.L1] - 1)
    assert abs(slopes[Loss.HUBER] - 1) < abs(slopes[Loss.MSE] - 1) / 2


def test_sgd_step_by_step_against_numpy() -> None:
    """Three epochs of full-batch SGD on the standardised table, in float64, by hand."""
    features, target = problem()
    settings = replace(CPU, method=Method.SGD, lr=0.3, epochs=3, test_every=1, dtype=Precision.FLOAT64)
    result = fitted(features, target, settings)
    torch.manual_seed(settings.seed)
    start = LinearRegressionModelV2(3, dtype=torch.float64).linear_layer
    weight, bias = start.weight.detach().numpy()[0].copy(), start.bias.item()
    train, test = slice(0, 96), slice(96, 120)
    z = (features - features[train].mean(axis=0)) / features[train].std(axis=0)
    t = (target - target[train].mean()) / target[train].std()
    for row in result.history:
        error = z[train] @ weight + bias - t[train]
        assert row.train_loss == pytest.approx((error**2).mean(), rel=1e-12)
        weight -= 0.3 * 2 * (z[train].T @ error) / 96
        bias -= 0.3 * 2 * error.mean()
        assert row.test_loss == pytest.approx(((z[test] @ weight + bias - t[test]) ** 2).mean(), rel=1e-12)
    assert [row.epoch for row in result.history] == [0, 1, 2]
    slope = weight * target[train].std() / features[train].std(axis=0)
    offset = target[train].mean() + target[train].std() * bias - slope @ features[train].mean(axis=0)
    assert coefficients(result) == pytest.approx(np.append(slope, offset), rel=1e-11)


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


# Same seed, same bytes


@pytest.mark.parametrize("settings", [replace(CPU, batch_size=16, method=method) for method in GRADIENT[:2]] + [CPU])
def test_the_same_seed_gives_the_same_bytes(settings: TrainSettings) -> None:
    first = fitted(*problem(), settings)
    torch.manual_seed(99)
    second, other = fitted(*problem(), settings), fitted(*problem(), replace(settings, seed=43))
    assert state_bytes(first.model.state_dict()) == state_bytes(second.model.state_dict())
    assert first.history == second.history
    assert first.metrics == second.metrics
    assert state_bytes(other.model.state_dict()) != state_bytes(first.model.state_dict())


def test_the_seed_decides_the_batches_too(monkeypatch: pytest.MonkeyPatch) -> None:
    orders: list[list[float]] = []

    def spy(model: nn.Module, batches: Iterator[tuple[Tensor, Tensor]], *rest: Any) -> float:
        pairs = list(batches)
        orders.append(torch.cat([y for _, y in pairs]).ravel().tolist())
        return train_epoch(model, iter(pairs), *rest)

    monkeypatch.setattr(descent, "train_epoch", spy)
    for seed in (1, 2, 1):
        fit(*line_parts(), replace(CPU, batch_size=8, epochs=1, seed=seed))
    assert orders[0] != orders[1]
    assert orders[0] == orders[2]


def test_the_order_of_the_rows_does_not_matter_to_the_exact_method() -> None:
    features, target = problem()
    order = np.random.default_rng(1).permutation(96)
    features_too, target_too = features.copy(), target.copy()
    features_too[:96], target_too[:96] = features[order], target[order]
    states = [fitted(*rows, EXACT).model.state_dict() for rows in ((features, target), (features_too, target_too))]
    assert state_bytes(states[0]) == state_bytes(states[1])


def test_the_number_of_threads_changes_no_byte_of_an_exact_fit() -> None:
    program = """
import hashlib
from pathlib import Path
import torch
from linreg.checkpoint import state_bytes
from linreg.config import TABLE_DEFAULTS, DeviceChoice, Precision
from linreg.data import read_dataset, split
from linreg.training import fit
from dataclasses import replace
dataset = read_dataset(Path("tests/data/penguins.csv"), features=None, target="body_mass_g")
parts = split(dataset, (0.8, 0.2), shuffle_seed=42)
for dtype in Precision:
    result = fit(dataset, parts, replace(TABLE_DEFAULTS, dtype=dtype, device=DeviceChoice.CPU))
    print(hashlib.sha256(state_bytes(result.model.state_dict())).hexdigest())
"""
    root = ROOT
    outputs = set()
    for threads in ("1", "2", "8"):
        names = ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS")
        environment = {**os.environ, **dict.fromkeys(names, threads)}
        command = [sys.executable, "-W", "error", "-c", program]
        done = subprocess.run(command, env=environment, check=True, capture_output=True, text=True, cwd=root)
        outputs.add(done.stdout)
    assert len(outputs) == 1
    assert len(set(outputs.pop().split())) == 2


# History and progress


def line_parts(fractions: tuple[float, ...] = (0.8, 0.2)) -> tuple[Dataset, Parts]:
    dataset = straight_line(LineSettings())
    return dataset, split(dataset, fractions, shuffle_seed=None)


def test_the_history_holds_every_so_many_epochs_and_progress_every_one() -> None:
    epochs: list[int] = []
    losses: list[float] = []

    def progress(epoch: int, loss: float) -> None:
        epochs.append(epoch)
        losses.append(loss)

    result = fit(*line_parts(), replace(CPU, epochs=25, test_every=10), progress=progress)
    assert [row.epoch for row in result.history] == [0, 10, 20, 24], "the last epoch too"
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


# Standardise and fold


def penguins(features: tuple[str, ...] | None = NUMERIC) -> tuple[Dataset, Parts]:
    dataset = read_dataset(PENGUINS, features=features, target="body_mass_g")
    return dataset, split(dataset, (0.8, 0.2), shuffle_seed=42)


@pytest.mark.parametrize("loss", list(Loss))
@pytest.mark.parametrize("method", [Method.SGD, Method.ADAM])
def test_gradient_methods_come_near_the_exact_fit_of_the_penguins(method: Method, loss: Loss) -> None:
    dataset, parts = penguins()
    best = fit(dataset, parts, EXACT).metrics
    settings = TrainSettings(method=method, loss=loss, device=DeviceChoice.CPU, lr=0.01, epochs=1000)
    reached = fit(dataset, parts, settings)
    for part in ("train", "test"):
        assert reached.metrics[part].mae == pytest.approx(best[part].mae, rel=0.05)
    assert reached.warnings == ()
    assert 290 < best["train"].mae < 330


def test_the_scaling_comes_from_the_training_part_only() -> None:
    features, target = problem()
    settings = replace(CPU, epochs=20)
    before = fitted(features, target, settings)
    features[96:] *= 50
    target[96:] -= 1e5
    after = fitted(features, target, settings)
    assert state_bytes(before.model.state_dict()) == state_bytes(after.model.state_dict())
    assert before.metrics["test"] != after.metrics["test"]


@pytest.mark.parametrize("method", GRADIENT)
def test_units_do_not_matter_to_the_gradient_methods(method: Method) -> None:
    """Powers of two as scales: the folded predictions are the same bits."""
    features, target = problem()
    settings = replace(CPU, method=method, epochs=20, dtype=Precision.FLOAT64)
    one = fitted(features, target, settings)
    scales = np.array([2.0**40, 2.0**-30, 1.0])
    other = fitted(features * scales, target * 1024, settings)
    assert coefficients(other)[:3] * scales == pytest.approx(coefficients(one)[:3] * 1024, rel=1e-12)
    assert [row.train_loss for row in other.history] == pytest.approx(
        [row.train_loss for row in one.history], rel=1e-12
    )


def test_the_line_stays_raw(monkeypatch: pytest.MonkeyPatch) -> None:
    def never(*_arguments: Any, **_options: Any) -> None:
        raise AssertionError("the line must not be scaled")

    monkeypatch.setattr(training, "fit_scaler", never)
    fit(*line_parts(), CPU)
    with pytest.raises(AssertionError, match="must not be scaled"):
        fitted(*problem(), CPU)


@pytest.mark.parametrize("method", GRADIENT)
@pytest.mark.parametrize("value", [7.25, 0.1, 0.0, -1e9])
def test_a_constant_column_gets_coefficient_0_and_a_warning(method: Method, value: float) -> None:
    features, target = problem()
    stuck = np.insert(features, 1, value, axis=1)
    settings = replace(CPU, method=method, epochs=400, lr=RATES[method])
    result = fitted(stuck, target, settings)
    assert result.warnings == ("column 'x1' is constant in the training part: its coefficient is 0",)
    assert coefficients(result)[1] == 0
    # What else is in that column, beyond the training part, changes no prediction.
    moved = stuck.copy()
    moved[:, 1] = np.arange(120)
    assert predict(result.model, moved).tobytes() == predict(result.model, stuck).tobytes()
    assert result.metrics["test"].mae == pytest.approx(fitted(features, target, settings).metrics["test"].mae, rel=0.01)


def test_a_column_that_is_constant_in_the_training_part_only() -> None:
    features, target = problem()
    features[:96, 2] = 3.0
    result = fitted(features, target, replace(CPU, epochs=50))
    assert result.warnings == ("column 'x2' is constant in the training part: its coefficient is 0",)
    assert coefficients(result)[2] == 0


def test_a_constant_column_is_collinear_with_the_bias_in_an_exact_fit() -> None:
    features, target = problem()
    features[:, 1] = 4.0
    with pytest.raises(TrainingError, match=r"of each other: x1, \(intercept\); leave one out"):
        fitted(features, target, EXACT)
    result = fitted(features, target, replace(EXACT, allow_collinear=True, dtype=Precision.FLOAT64))
    assert result.warnings == ("collinear columns (x1, (intercept)): rank 3, this is the minimum-norm solution",)
    matrix = np.column_stack([features, np.ones(120)])[:96]
    wanted = np.linalg.lstsq(matrix, target[:96], rcond=1e-12)[0]
    assert coefficients(result) == pytest.approx(wanted, rel=1e-11)


@pytest.mark.parametrize("method", [*GRADIENT, Method.EXACT])
def test_no_bias_folds_without_centring(method: Method) -> None:
    features, target = problem()
    settings = replace(CPU, method=method, bias=False, epochs=600, lr=RATES.get(method), dtype=Precision.FLOAT64)
    result = fitted(features, target, settings)
    assert [*result.model.state_dict()] == ["linear_layer.weight"]
    assert coefficients(result) == pytest.approx(least_squares(features[:96], target[:96], bias=False), rel=1e-4)
    assert predict(result.model, np.zeros((1, 3))).tolist() == [0.0]
    # With no bias a constant column is no longer idle.
    stuck = np.insert(features, 0, 2.0, axis=1)
    held = fitted(stuck, target, settings)
    assert held.warnings == ()
    error = target[:96] - stuck[:96] @ least_squares(stuck[:96], target[:96], bias=False)
    assert held.metrics["train"].rmse == pytest.approx(math.sqrt((error**2).mean()), rel=1e-2)
    assert held.metrics["train"].rmse < 0.9 * result.metrics["train"].rmse


# What float32 cannot hold, or only coarsely


def unix_times() -> tuple[Array, Array]:
    generator = np.random.default_rng(0)
    times = 1.7e9 + np.sort(generator.uniform(0, 1e5, size=200))[:, None]
    return times, (times[:, 0] - 1.7e9) * 1e-4 + 0.1 * generator.normal(size=200)


@pytest.mark.parametrize("method", [Method.EXACT, Method.LBFGS])
def test_float32_is_coarse_for_unix_times(method: Method) -> None:
    settings = replace(CPU, method=method)
    result = fitted(*unix_times(), settings)
    (warning,) = result.warnings
    assert warning.startswith("float32 is coarse for these raw values: it moves predictions by up to 0.")
    assert warning.endswith("; use --dtype float64, or shift the columns towards 0")
    assert fitted(*unix_times(), replace(settings, dtype=Precision.FLOAT64)).warnings == ()
    assert fitted(unix_times()[0] - 1.7e9, unix_times()[1], settings).warnings == ()


@pytest.mark.parametrize("method", [Method.EXACT, Method.LBFGS])
def test_a_column_that_exceeds_float32_is_refused(method: Method) -> None:
    features, target = problem()
    features[:, 1] *= 1e38
    with pytest.raises(DataError, match=r"column 'x1' has values that exceed torch\.float32; use --dtype float64"):
        fitted(features, target, replace(CPU, method=method))
    result = fitted(features, target, replace(EXACT, dtype=Precision.FLOAT64))
    assert result.metrics["test"].r2 is not None
    assert result.metrics["test"].r2 > 0.99


@pytest.mark.parametrize("part", [50, 119])
def test_a_value_that_exceeds_float32_is_found_in_every_part(part: int) -> None:
    features, target = problem()
    features[part, 0] = 1e39
    with pytest.raises(DataError, match="column 'x0' has values that exceed"):
        fitted(features, target, EXACT)


@pytest.mark.parametrize("method", [*GRADIENT, Method.EXACT])
def test_coefficients_that_exceed_float32_are_refused(method: Method) -> None:
    features, target = problem()
    with pytest.raises(DataError, match=r"the fitted coefficients exceed torch\.float32; use --dtype float64"):
        fitted(features, target * 1e60, replace(CPU, method=method))
    with pytest.raises(DataError, match="the fitted coefficients exceed"):
        fitted(features * 1e-60, target, replace(CPU, method=method))
    if method is not Method.EXACT:  # whose own range is tested with it
        with pytest.raises(DataError, match="the fitted coefficients exceed"):
            fitted(features * 1e-200, target * 1e140, replace(CPU, method=method))


def test_predictions_that_exceed_float32_are_refused() -> None:
    features, target = problem()
    features[119] = 1e30
    with pytest.raises(DataError, match=r"the predictions exceed torch\.float32"):
        fitted(features, target * 1e20, EXACT)


# Rates that are too large


@pytest.mark.parametrize("precision", list(Precision))
def test_divergence_names_epoch_and_rate(precision: Precision) -> None:
    epochs: list[int] = []
    dataset, parts = line_parts()
    settings = replace(CPU, method=Method.SGD, lr=1e9, epochs=1000, dtype=precision)
    with pytest.raises(TrainingError) as raised:
        fit(dataset, parts, settings, progress=lambda epoch, _loss: epochs.append(epoch))
    assert str(raised.value) == (
        f"the loss became inf at epoch {epochs[-1] + 1} with --lr 1e+09; nothing was written; "
        "try --lr 1e+08, --loss huber, or --method exact"
    )
    assert len(epochs) < 100


def test_divergence_in_the_last_step_is_noticed() -> None:
    """The loss before the step is still finite, the parameters after it are not."""
    dataset = straight_line(LineSettings(weight=1e10))
    parts = split(dataset, (1.0,), shuffle_seed=None)
    with pytest.raises(TrainingError, match=r"the loss became nan at epoch 0 with --lr 1e\+30; nothing was written"):
        fit(dataset, parts, replace(CPU, method=Method.SGD, lr=1e30, epochs=1))


def test_a_rate_that_only_makes_things_worse_is_warned_of() -> None:
    dataset, parts = line_parts()
    result = fit(dataset, parts, replace(CPU, loss=Loss.L1, lr=1e9, epochs=100))
    (warning, *_) = result.warnings
    assert warning.startswith("the train loss rose from 0.555 to ")
    assert warning.endswith(": try --lr 1e+08")
    assert fit(dataset, parts, replace(CPU, loss=Loss.L1, lr=0.01, epochs=100)).warnings == ()


# Settings


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"epochs": 0}, "--epochs: got 0, expected 1 to 1000000000"),
        ({"epochs": -1}, "--epochs: got -1,"),
        ({"epochs": 10**18}, "--epochs: got 1000000000000000000,"),
        ({"test_every": 0}, "--test-every: got 0,"),
        ({"batch_size": 0}, "--batch-size: got 0, expected at least 1"),
        ({"batch_size": -3}, "--batch-size: got -3,"),
        ({"batch_size": 8, "method": Method.LBFGS}, "--batch-size: L-BFGS needs all rows in each step"),
        ({"lr": 0.0}, "--lr: got 0.0, expected a number above 0"),
        ({"lr": -0.01}, "--lr: got -0.01,"),
        ({"lr": math.nan}, "--lr: got nan,"),
        ({"lr": math.inf}, "--lr: got inf,"),
        ({"lr": 1e31}, "--lr: got 1e+31, expected a number above 0, at most 1e30"),
        ({"seed": -1}, "--seed: got -1, expected 0 to 2^63 - 1"),
        ({"seed": 2**63}, "--seed: got 9223372036854775808,"),
    ],
)
def test_settings_that_no_run_can_use(changed: dict[str, Any], message: str) -> None:
    with pytest.raises(LinregError) as raised:
        fit(*line_parts(), replace(CPU, **changed))
    assert str(raised.value).startswith(message)


@pytest.mark.parametrize("method", GRADIENT)
@pytest.mark.parametrize("precision", list(Precision))
def test_no_rate_makes_torch_itself_fail(method: Method, precision: Precision) -> None:
    """Whatever comes of it, it is a result or our own error."""
    for rate in (1e-300, 1e-45, 1e30):
        try:
            result = fit(*line_parts(), replace(CPU, method=method, lr=rate, dtype=precision, epochs=3))
        except LinregError:
            continue
        assert np.isfinite(coefficients(result)).all()


def test_the_largest_settings_are_allowed() -> None:
    check_settings(replace(CPU, epochs=10**9, test_every=10**9, batch_size=10**9, lr=1e30, seed=2**63 - 1))
    check_settings(replace(EXACT, lr=None))
    fit(*line_parts(), replace(CPU, seed=2**63 - 1, batch_size=10**9))


def test_parameter_needs_one_feature() -> None:
    with pytest.raises(LinregError, match="got 3 features, expected 1"):
        fitted(*problem(), replace(CPU, architecture=Architecture.PARAMETER))


def test_cuda_asked_for_and_not_there_is_refused_before_anything_else(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(LinregError, match="--device cuda"):
        fit(*line_parts(), replace(CPU, device=DeviceChoice.CUDA))
    assert fit(*line_parts(), replace(CPU, device=DeviceChoice.AUTO)).device == "cpu"


def test_an_exact_line_gives_the_two_parameters_back() -> None:
    dataset, parts = line_parts()
    result = fit(dataset, parts, replace(EXACT, architecture=Architecture.PARAMETER))
    assert isinstance(result.model, LinearRegressionModel)
    assert coefficients(result) == pytest.approx([0.7, 0.3], abs=1e-6)
    assert result.metrics["test"].mae < 1e-7


def test_one_row_a_part() -> None:
    part = Part(features=np.array([[1.0]]), target=np.array([2.0]))
    result = fit(table(part.features, part.target), Parts(train=part, validation=None, test=part), CPU)
    assert result.metrics["test"].r2 is None
    with pytest.raises(DataError, match="got 1 rows for 2 parameters"):
        fit(table(part.features, part.target), Parts(train=part, validation=None, test=part), EXACT)


# An exact fit that is worse than a constant


@pytest.mark.parametrize(("method", "bias"), [(Method.EXACT, True), (Method.EXACT, False), (Method.LBFGS, True)])
def test_rounded_coefficients_that_are_worse_than_a_constant_are_refused(method: Method, bias: bool) -> None:
    near = np.random.default_rng(0).uniform(0, 3, size=(200, 2))
    target = near @ [0.3, -0.1] + 0.1 * np.sin(np.arange(200.0))
    far = near + np.array([1.7e9, 3 * 1.7e9])
    settings = replace(CPU, method=method, bias=bias)
    with pytest.raises(DataError) as raised:
        fitted(far, target, settings)
    message = str(raised.value)
    assert message.startswith("float32 is too coarse for these raw values: it takes the RMSE of the training part from")
    assert message.endswith(", worse than a constant; use --dtype float64, or shift the columns towards 0")
    for right in (fitted(far, target, replace(settings, dtype=Precision.FLOAT64)), fitted(near, target, settings)):
        assert right.metrics["train"].rmse < 0.1


def test_an_exact_fit_that_is_worse_than_a_constant_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """As wrong coefficients of 1e11 were, saved with an R2 of -3445: least squares cannot give that."""
    features, target = problem()
    right = fitted(features, target, EXACT).solution
    assert right is not None
    monkeypatch.setattr(training, "solve", lambda *_arguments, **_options: replace(right, bias=1e11))
    with pytest.raises(TrainingError, match=r"rounding leaves an RMSE of 1e\+11 on the training part, worse than a"):
        fitted(features, target, EXACT)


@pytest.mark.parametrize("bias", [True, False])
def test_an_exact_fit_of_noise_is_no_worse_than_a_constant(bias: bool) -> None:
    generator = np.random.default_rng(0)
    features, target = generator.normal(size=(50_000, 1)), generator.normal(size=50_000) + 30 * bias
    result = fitted(features, target, replace(EXACT, bias=bias), (1.0,))
    r2 = result.metrics["train"].r2
    assert r2 is not None
    assert abs(r2) < 1e-3


@pytest.mark.parametrize("method", GRADIENT)
def test_a_column_that_is_constant_up_to_its_rounding_gets_coefficient_0(method: Method) -> None:
    """0.1 + 0.2 in some rows and 0.3 in others: divided by its deviation it would get a coefficient of 1e16."""
    features, target = problem()
    stuck = np.insert(features, 1, np.where(np.arange(120) % 3, 0.3, 0.1 + 0.2), axis=1)
    settings = replace(CPU, method=method, epochs=400, lr=RATES[method])
    result = fitted(stuck, target, settings)
    assert result.warnings == ("column 'x1' is constant in the training part: its coefficient is 0",)
    assert coefficients(result)[1] == 0
    with pytest.raises(TrainingError, match=r"of each other: x1, \(intercept\); leave one out"):
        fitted(stuck, target, EXACT)
