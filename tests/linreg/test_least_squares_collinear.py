"""Collinear columns: found, named, and solved with the smallest norm; nearly collinear ones are not."""

import math

import numpy as np
import pytest

from linreg.errors import TrainingError
from linreg.least_squares import INTERCEPT
from tests.least_squares_problems import MANY, Array, digits_of, exact, fit, minimum_norm, noisy, parameters


def collinear(kind: str, rows: int) -> tuple[Array, tuple[str, ...], int]:
    """Features, the names of the columns that depend on each other, and the rank with an intercept."""
    generator = np.random.default_rng(8)
    a, b, c = generator.normal(size=(3, rows))
    group = generator.integers(0, 3, size=rows)
    dummies = [(group == place).astype(float) for place in range(3)]
    columns, named, rank = {
        "duplicate": ([a, b, c, b], ("x1", "x3"), 4),
        "multiple": ([a, b, -1000 * a, c], ("x0", "x2"), 4),
        "sum": ([a, b, a + b, c], ("x0", "x1", "x2"), 4),
        "constant": ([a, np.full(rows, 7.25), b], ("x1", INTERCEPT), 3),
        "zeros": ([a, np.zeros(rows), b], ("x1",), 3),
        "dummy trap": ([a, *dummies], ("x1", "x2", "x3", INTERCEPT), 4),
        "two pairs": ([a, b, a, b, c], ("x0", "x1", "x2", "x3"), 4),
        "pair and constant": ([a, b, 2 * a, np.full(rows, -3.0)], ("x0", "x2", "x3", INTERCEPT), 3),
    }[kind]
    return np.stack(columns, axis=1), named, rank


KINDS = ["duplicate", "multiple", "sum", "constant", "zeros", "dummy trap", "two pairs", "pair and constant"]


@pytest.mark.parametrize("rows", [12, 50, MANY])
@pytest.mark.parametrize("kind", KINDS)
def test_collinear_columns(kind: str, rows: int) -> None:
    features, named, rank = collinear(kind, rows)
    target = features[:, 0] * 2 + 1 + np.random.default_rng(9).normal(size=rows)
    with pytest.raises(TrainingError) as raised:
        fit(features, target)
    assert f"linear combinations of each other: {', '.join(named)}; leave one out" in str(raised.value)
    assert "--allow-collinear" in str(raised.value)

    solution = fit(features, target, allow_collinear=True)
    wanted = minimum_norm(features, target)
    assert np.abs(parameters(solution) - wanted).max() <= 1e-12 * np.abs(wanted).max()
    assert solution.collinear == named
    assert solution.rank == rank
    assert solution.weight_errors is None
    assert solution.bias_error is None


def test_a_constant_column_without_an_intercept_is_a_column_like_others() -> None:
    features, target = collinear("constant", 50)[0], noisy(50)[1]
    solution = fit(features, target, intercept=False)
    assert solution.collinear == ()
    assert digits_of(solution, exact(features, target, intercept=False)) > 13


@pytest.mark.parametrize("kind", ["duplicate", "sum", "zeros", "two pairs"])
def test_collinear_columns_without_an_intercept(kind: str) -> None:
    features = collinear(kind, 50)[0]
    target = noisy(50)[1]
    solution = fit(features, target, intercept=False, allow_collinear=True)
    wanted = minimum_norm(features, target, intercept=False)
    assert np.abs(solution.weight - wanted).max() <= 1e-12 * np.abs(wanted).max()
    assert solution.bias == 0


def test_nothing_but_zeros() -> None:
    solution = fit(np.zeros((5, 2)), np.arange(5.0), intercept=False, allow_collinear=True)
    assert solution.weight.tolist() == [0, 0]
    assert solution.rank == 0
    assert solution.residual_norm == pytest.approx(math.sqrt(30), rel=1e-15)


@pytest.mark.parametrize("scale", [1e-30, 1e30])
def test_the_smallest_solution_beside_a_column_of_another_scale(scale: float) -> None:
    features, named, _ = collinear("duplicate", 50)
    target = features @ [1.0, 2.0, 3.0, 4.0] + 5
    features[:, 2] *= scale
    solution = fit(features, target, allow_collinear=True)
    assert solution.collinear == named
    assert parameters(solution) == pytest.approx([1.0, 3.0, 3.0 / scale, 3.0, 5.0], rel=1e-12)


@pytest.mark.parametrize("scale", [1e-200, 1e200])
def test_collinear_columns_of_extreme_scale(scale: float) -> None:
    a, b = np.random.default_rng(8).normal(size=(2, 50))
    features = np.stack([a * scale, b, a * scale], axis=1)
    solution = fit(features, 6 * a + b, allow_collinear=True)
    assert solution.collinear == ("x0", "x2")
    assert solution.weight * [scale, 1.0, scale] == pytest.approx([3.0, 1.0, 3.0], rel=1e-12)


@pytest.mark.parametrize(("distance", "right"), [(1e-8, 15), (1e-10, 10), (1e-12, 6)])
def test_nearly_collinear_columns_are_not_called_collinear(distance: float, right: float) -> None:
    a, b = np.random.default_rng(8).normal(size=(2, 200))
    features = np.stack([a, a + distance * b], axis=1)
    solution = fit(features, a + b + 1)
    assert solution.collinear == ()
    assert digits_of(solution, exact(features, a + b + 1)) > right


def test_a_message_names_twenty_columns() -> None:
    with pytest.raises(TrainingError) as raised:
        fit(np.ones((50, 30)), np.arange(50.0))
    assert "of each other: x0, x1, " in str(raised.value)
    assert ", x19 and 11 more; leave one out" in str(raised.value)
