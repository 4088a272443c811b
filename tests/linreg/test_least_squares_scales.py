"""Extreme scales, large offsets, and values that are not finite."""

import numpy as np
import pytest

from linreg.errors import DataError
from linreg.triangle import BATCH_ROWS
from tests.least_squares_problems import digits, digits_of, exact, fit, nist, noisy


@pytest.mark.parametrize(
    ("scales", "of_target"),
    [
        ([1e-300, 1.0, 1e300], 1.0),
        ([1e300, 1e300, 1e300], 1.0),
        ([1e-300, 1e-300, 1e-300], 1.0),
        ([1e300, 1e-5, 1.0], 1e300),
        ([1e-300, 1e7, 1.0], 1e-300),
        ([1e150, 1e-150, 1.0], 1e10),
        ([1e200, 1.0, 1e-200], 1e-100),
        ([1.0, 1.0, 1.0], 1e300),
        ([1.0, 1.0, 1.0], 1e-300),
    ],
)
def test_extreme_scales(scales: list[float], of_target: float) -> None:
    features, target = noisy(50, 3)
    features /= 100.0
    features, target = features * scales, target * of_target
    solution = fit(features, target)
    assert digits_of(solution, exact(features, target)) > 13
    assert solution.weight_errors is not None
    assert np.isfinite(solution.weight_errors).all()
    assert solution.residual_norm > 0


@pytest.mark.parametrize("exponent", [-900, -450, 450, 900])
def test_the_refinement_works_at_extreme_scales_too(exponent: int) -> None:
    features, target, certified, _ = nist("Wampler5")
    solution = fit(np.ldexp(features, exponent), target)
    got = [solution.bias, *np.ldexp(solution.weight, exponent)]
    assert min(digits(value, wanted) for value, (wanted, _) in zip(got, certified, strict=True)) >= 10


@pytest.mark.parametrize(("scale", "of_target"), [(1e-310, 1.0), (1e-300, 1e300), (1e300, 1e-300)])
def test_coefficients_that_float64_cannot_hold(scale: float, of_target: float) -> None:
    features, target = noisy(50, 1)
    with pytest.raises(DataError, match="the coefficients exceed the range of float64; rescale the columns"):
        fit(features * scale, target * of_target)


def test_a_coefficient_that_is_a_rounding_of_zero_may_leave_the_range() -> None:
    features = np.array([[1e300, 1.0], [-1e300, 1.0], [1e300, -1.0], [-1e300, -1.0]])
    solution = fit(features, features[:, 1] * 1e-20, intercept=False)
    assert abs(solution.weight[0]) < 1e-320
    assert solution.weight[1] == 1e-20


def test_a_norm_that_float64_cannot_hold() -> None:
    with pytest.raises(DataError, match="a column's norm exceeds float64; rescale the columns"):
        fit(np.full((100, 1), 1e308), np.arange(100.0), intercept=False)


@pytest.mark.parametrize("offset", [1e6, 1.7e9])
def test_a_feature_with_a_large_offset(offset: float) -> None:
    features, target = noisy(100, 2)
    features = features * 100 + [offset, 0.0]
    assert digits_of(fit(features, target), exact(features, target)) > 13


def test_a_feature_with_an_offset_of_1e15() -> None:
    features = np.round(noisy(100, 2)[0] * 1000) + np.array([1e15, 0.0])
    target = features @ [3.0, -2.0] + np.random.default_rng(5).integers(0, 100, size=100)
    solution, wanted = fit(features, target), exact(features, target)
    assert digits_of(solution, wanted[:2]) > 7
    # The bias is the difference of two numbers of 3e15.
    assert abs(solution.bias - float(wanted[2])) < 1e-7 * 3e15


def test_a_target_with_an_offset_of_1e15() -> None:
    features, target = noisy(100, 2, noise=3.0)
    target = target + 1e15
    assert digits_of(fit(features, target), exact(features, target)) > 9


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("row", [0, 7, BATCH_ROWS + 5])
@pytest.mark.parametrize("column", [0, 1, None])
def test_values_that_are_not_finite(value: float, row: int, column: int | None) -> None:
    features, target = noisy(BATCH_ROWS + 9, 2)
    if column is None:
        target[row] = value
    else:
        features[row, column] = value
    with pytest.raises(DataError, match="values are not finite"):
        fit(features, target)
