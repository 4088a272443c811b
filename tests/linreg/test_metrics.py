"""R2, RMSE and MAE against definitions in rationals and long doubles."""

import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from linreg.metrics import Metrics, measure


def by_definition(target: NDArray[np.floating], prediction: NDArray[np.floating]) -> tuple[float | None, float, float]:
    wanted = [Fraction(float(value)) for value in target]
    errors = [Fraction(float(value)) - other for value, other in zip(prediction, wanted, strict=True)]
    mean = sum(wanted) / len(wanted)
    squares, spread = sum(error**2 for error in errors), sum((value - mean) ** 2 for value in wanted)
    mean_square = squares / len(errors)
    # A power of 4 goes before the root, so that squares of 1e300 fit.
    exponent = (mean_square.numerator.bit_length() - mean_square.denominator.bit_length()) // 2
    rmse = math.ldexp(math.sqrt(mean_square / Fraction(4) ** exponent), exponent)
    return (
        float(1 - squares / spread) if spread else None,
        rmse,
        float(sum(abs(error) for error in errors) / len(errors)),
    )


def check(target: NDArray[np.float64], prediction: NDArray[np.floating], rel: float = 1e-12) -> Metrics:
    metrics = measure(target, prediction)
    r2, rmse, mae = by_definition(target, prediction)
    if r2 is None:
        assert metrics.r2 is None
    else:
        assert metrics.r2 == pytest.approx(r2, rel=rel, abs=rel)
    assert metrics.rmse == pytest.approx(rmse, rel=rel)
    assert metrics.mae == pytest.approx(mae, rel=rel)
    assert metrics.rows == len(target)
    assert isinstance(metrics.rmse, float)
    return metrics


def test_by_hand() -> None:
    metrics = measure(np.array([1.0, 2.0, 3.0, 6.0]), np.array([1.0, 2.0, 5.0, 5.0]))
    assert metrics == Metrics(rows=4, r2=1 - 5 / 14, rmse=math.sqrt(5 / 4), mae=0.75)


@settings(max_examples=100, deadline=None, derandomize=True)
@given(st.integers(1, 40), st.integers(0, 2**32), st.sampled_from([1e-6, 1.0, 1e6]), st.sampled_from(["f4", "f8"]))
def test_against_the_definitions(rows: int, seed: int, scale: float, dtype: str) -> None:
    generator = np.random.default_rng(seed)
    target = scale * generator.normal(size=rows)
    check(target, (target + generator.normal(size=rows)).astype(dtype), rel=1e-11)


@pytest.mark.parametrize("scale", [1e-310, 1e-300, 1e-160, 1e160, 1e300, 1e307])
def test_extreme_scales(scale: float) -> None:
    target = np.linspace(1, 9, 20) * scale
    check(target, target * 1.25, rel=1e-9)


def test_a_small_error_on_a_large_target() -> None:
    target = 1e15 + np.arange(20.0)
    check(target, target + np.where(np.arange(20) % 2, 0.5, -0.125))


def test_a_float32_prediction_is_compared_in_float64() -> None:
    target = np.array([16_777_217.0, 0.1])
    metrics = measure(target, target.astype(np.float32))
    assert metrics.mae == pytest.approx((1 + (np.float64(np.float32(0.1)) - 0.1)) / 2, rel=1e-12)


def test_a_perfect_prediction() -> None:
    target = np.array([1.0, 2.0])
    assert measure(target, target) == Metrics(rows=2, r2=1.0, rmse=0.0, mae=0.0)
    assert measure(np.zeros(3), np.zeros(3)) == Metrics(rows=3, r2=None, rmse=0.0, mae=0.0)


# The mean of three times 0.1 is not 0.1 in float64.
@pytest.mark.parametrize("value", [0.0, 0.1, -7.0, 1e300])
@pytest.mark.parametrize("rows", [1, 3, 10])
def test_r2_is_undefined_where_the_target_is_constant(value: float, rows: int) -> None:
    metrics = measure(np.full(rows, value), np.full(rows, 2.0))
    assert metrics.r2 is None
    assert metrics.mae == pytest.approx(abs(value - 2))


def test_r2_stays_a_number_where_it_is_beyond_float64() -> None:
    metrics = measure(np.array([1e-300, 2e-300]), np.array([1e300, 1e300]))
    assert metrics.r2 is not None
    assert -math.inf < metrics.r2 < -1e300
    assert metrics.rmse == pytest.approx(1e300)
