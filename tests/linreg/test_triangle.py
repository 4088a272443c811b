"""Both ways to R agree, the short one loses no digits, and what it cannot do goes the long way."""

from fractions import Fraction

import numpy as np
import pytest

from linreg import triangle
from linreg.least_squares import solve
from linreg.survey import survey_of
from linreg.triangle import BATCH_ROWS
from tests.least_squares_problems import problem_of, solved


def table(rows: int, features: int, *, offset: float = 0.0, noise: float = 0.1) -> tuple[np.ndarray, np.ndarray]:
    generator = np.random.default_rng(20261123)
    x = generator.standard_normal((rows, features)) + offset
    return x, x @ generator.standard_normal(features) + 0.5 + noise * generator.standard_normal(rows)


def whole(values) -> list:
    return [Fraction(value) for value in np.ravel(values).tolist()]


@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("offset", [0.0, 10.0, 1e5], ids=["quick", "quick-still", "slow"])
def test_many_rows_lose_no_digits(offset, order, monkeypatch):
    """Against the normal equations in fractions, whichever way R is found: 13 digits, 10 of the standard errors."""
    x, y = table(3 * BATCH_ROWS, 2, offset=offset)
    columns = [*map(whole, x.T), [Fraction(1)] * len(y), whole(y)]
    products = [[sum(a * b for a, b in zip(one, other, strict=True)) for other in columns] for one in columns]
    normal, right = [row[:3] for row in products[:3]], [row[3] for row in products[:3]]
    wanted = solved(normal, right)
    squares = products[3][3] - sum(a * b for a, b in zip(wanted, right, strict=True))
    spread = float(squares / (len(y) - 3))
    inverse = [solved(normal, [Fraction(place == row) for row in range(3)])[place] for place in range(3)]

    ways = []
    real = triangle.by_products
    monkeypatch.setattr(triangle, "by_products", lambda products: ways.append(real(products)) or ways[-1])
    got = solve(np.asarray(x, order=order), y, names=("a", "b"))
    assert (ways[0] is not None) == (offset < 1e3)
    np.testing.assert_allclose([*got.weight, got.bias], [float(value) for value in wanted], rtol=1e-13)
    errors = [(spread * float(entry)) ** 0.5 for entry in inverse]
    np.testing.assert_allclose([*got.weight_errors, got.bias_error], errors, rtol=1e-10)
    assert got.residual_norm == pytest.approx(float(squares) ** 0.5, rel=1e-12)


@pytest.mark.parametrize("scales", [(1.0, 1.0), (1e9, 1e-9), (1e120, 1e-110), (1e-120, 1e100)])
@pytest.mark.parametrize("intercept", [True, False])
def test_both_ways_to_the_triangle_agree(scales, intercept, monkeypatch):
    x, y = table(2 * BATCH_ROWS + 17, 2, offset=3.0)
    x *= scales
    problem = problem_of(x, y, intercept)
    products = survey_of(problem).products
    quick = triangle.by_products(products)
    monkeypatch.setattr(triangle, "by_products", lambda _products: None)
    slow = triangle.triangle_of(problem, products, len(y))
    assert quick.shape == slow.shape == (3 + intercept, 3 + intercept)
    norms = np.sqrt((x * x).sum(axis=0)) if max(scales) < 1e90 else None
    if norms is not None:
        np.testing.assert_allclose(np.linalg.norm(quick[:, :2], axis=0), norms, rtol=1e-12)
    signs = np.sign(np.diag(slow))[:, None]
    difference = np.abs(quick - signs * slow).max(axis=0)
    assert (difference <= 1e-11 * np.abs(slow).max(axis=0)).all()


@pytest.mark.parametrize(
    "change",
    [
        lambda x, y: (np.column_stack([x[:, 0], x[:, 0] * (1 + 1e-3 * x[:, 1])]), y),
        lambda x, y: (np.column_stack([x[:, 0], x[:, 0]]), y),
        lambda x, y: (x * [1.0, 0.0], y),
        lambda x, y: (x, x @ [1.0, 2.0]),
        lambda x, y: (x + 1e4, y),
        lambda x, y: (x * [1.0, 1e200], y),
        lambda x, y: (x * [1.0, 1e-170], y),
        lambda x, y: (x * [1.0, 1e-158], y),
        lambda x, y: (np.where(x > 3, np.inf, x), y),
    ],
    ids=["nearly-collinear", "collinear", "zeros", "perfect", "offset", "huge", "tiny", "subnormal", "inf"],
)
def test_what_the_short_way_cannot_do_goes_the_long_way(change):
    x, y = change(*table(2 * BATCH_ROWS, 2))
    assert triangle.by_products(survey_of(problem_of(x, y)).products) is None
