"""Features and target are standardised from the training part, and the scaling is folded back."""

import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from linreg import training
from linreg.config import DeviceChoice, Loss, Method, Precision, TrainSettings
from linreg.errors import TrainingError
from linreg.state_dict import state_bytes
from linreg.training import fit
from tests.module_predictions import predict
from tests.training_problems import (
    CPU,
    EXACT,
    GRADIENT,
    RATES,
    coefficients,
    fitted,
    least_squares,
    line_parts,
    penguins,
    problem,
)


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
