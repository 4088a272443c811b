"""What a fit warns of or refuses: settings, float32, divergence, and a fit worse than a constant."""

import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

from linreg import training
from linreg.config import Architecture, DeviceChoice, LineSettings, Loss, Method, Precision
from linreg.data import Part, Parts, split, straight_line
from linreg.errors import DataError, LinregError, TrainingError
from linreg.models import LinearRegressionModel
from linreg.training import check_settings, fit
from tests.training_problems import CPU, EXACT, GRADIENT, RATES, Array, coefficients, fitted, line_parts, problem, table


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
    assert warning.endswith("; train with dtype float64, or shift the columns towards 0")
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
