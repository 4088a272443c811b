"""Every method reaches the least squares, and the same seed gives the same bytes."""

import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from linreg import descent
from linreg.config import Architecture, Loss, Method, Precision, TrainSettings
from linreg.descent import train_epoch
from linreg.errors import LinregError
from linreg.models import LinearRegressionModelV2
from linreg.state_dict import state_bytes
from linreg.training import fit
from tests.conftest import ROOT
from tests.training_problems import (
    CPU,
    EXACT,
    GRADIENT,
    RATES,
    coefficients,
    fitted,
    least_squares,
    line_parts,
    problem,
)


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
from linreg.state_dict import state_bytes
from linreg.config import TABLE_DEFAULTS, DeviceChoice, Precision
from linreg.data import dataset_of_table, split
from linreg.reading.tables import read_table
from linreg.training import fit
from dataclasses import replace
table = read_table(Path("tests/data/penguins.csv"), features=None, target="body_mass_g")
dataset = dataset_of_table("penguins", table)
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
