"""Collinear columns are named whatever the rows, seeds and scales; innocent and nearly collinear ones are not."""

from fractions import Fraction

import numpy as np
import pytest
from numpy.typing import NDArray

from linreg import collinearity
from linreg.errors import TrainingError
from linreg.least_squares import INTERCEPT, LeastSquares, solve
from linreg.triangle import BATCH_ROWS
from tests.conftest import TESTS
from tests.least_squares_problems import solved

Array = NDArray[np.float64]
DATA = TESTS / "data"
FILIP = [  # NIST, from the intercept on
    -1467.48961422980,
    -2772.17959193342,
    -2316.37108160893,
    -1127.97394098372,
    -354.478233703349,
    -75.1242017393757,
    -10.8753180355343,
    -1.06221498588947,
    -0.670191154593408e-01,
    -0.246781078275479e-02,
    -0.402962525080404e-04,
]
LONGLEY = [
    -3482258.63459582,
    15.0618722713733,
    -0.0358191792925910,
    -2.02022980381683,
    -1.03322686717359,
    -0.0511041056535807,
    1829.15146461355,
]


def fit(features: Array, target: Array, **options: bool) -> LeastSquares:
    return solve(features, target, names=tuple(f"x{place}" for place in range(features.shape[1])), **options)


def named(places: set[int], columns: int) -> tuple[str, ...]:
    """The names that a message has, -1 being the intercept."""
    return tuple(f"x{place}" for place in range(columns) if place in places) + (INTERCEPT,) * (-1 in places)


def table(kind: str, rows: int, seed: int) -> tuple[Array, set[int]]:
    """Features, and the places of the columns that are linear combinations of each other (-1: the intercept)."""
    generator = np.random.default_rng(seed)
    a, b, c = generator.normal(size=(3, rows))
    member = (generator.random(rows) < 0.1).astype(float)
    groups, others = generator.integers(0, 4, rows), generator.integers(0, 3, rows)
    dummies = [(groups == place).astype(float) for place in range(4)]
    more = [(others == place).astype(float) for place in range(3)]
    celsius = np.round(generator.normal(15, 8, rows), 1)
    unix = np.sort(1.7e9 + 1e5 * generator.random(rows))
    amounts = np.abs(np.stack([a, b, c]))
    price, tax = np.round(amounts[0] * 100, 2), np.round(amounts[1] * 20, 2)
    once = np.ones(rows)
    once[0] = 0
    columns, places = {
        "given twice": ([a, b, a], {0, 2}),
        "constant": ([a, np.full(rows, 7.0)], {1, -1}),
        "constant of 0.1": ([a, np.full(rows, 0.1), b], {1, -1}),
        "zeros": ([a, np.zeros(rows), b], {1}),
        "zeros beside a column given twice": ([a, np.zeros(rows), b, a], {0, 1, 3}),
        "two dummies": ([member, 1 - member], {0, 1, -1}),
        "fahrenheit": ([a, celsius, 1.8 * celsius + 32], {1, 2, -1}),
        "celsius": ([a, celsius, (celsius - 32) * 5 / 9], {1, 2, -1}),
        "fahrenheit of 1e8": ([a, celsius * 1e8, 1.8 * (celsius * 1e8) + 32], {1, 2, -1}),
        "sum": ([a, b, a + b, c], {0, 1, 2}),
        "total": ([price, tax, np.round(price + tax, 2), c], {0, 1, 2}),
        "combination": ([a, b, c, 0.3 * a - 0.7 * b + 1.1 * c - 5], {0, 1, 2, 3, -1}),
        "percentages": ([*(100 * amounts / amounts.sum(axis=0)), generator.normal(size=rows)], {0, 1, 2, -1}),
        "z-score": ([3 * a + 5, (3 * a + 5 - 5.1) / 2.9, b], {0, 1, -1}),
        "days beside unix time": ([a, unix, unix / 86400, b], {1, 2}),
        "minutes beside unix time": ([a, unix, (unix - 1.7e9) / 60, b], {1, 2, -1}),
        "two dummy traps": ([*dummies, b, *more], {0, 1, 2, 3, 5, 6, 7, -1}),
        "one row apart": ([once, 2 * once - 1], {0, 1, -1}),
        "given twice beside nearly twice": ([a, a + 1e-11 * b, c, c], {2, 3}),
        "nearly constant": ([a, np.where(member == 1, 0.1 + 0.2, 0.3)], {1, -1}),
    }[kind]
    return np.stack(columns, axis=1), places


KINDS = [
    "given twice",
    "constant",
    "constant of 0.1",
    "zeros",
    "zeros beside a column given twice",
    "two dummies",
    "fahrenheit",
    "celsius",
    "fahrenheit of 1e8",
    "sum",
    "total",
    "combination",
    "percentages",
    "z-score",
    "days beside unix time",
    "minutes beside unix time",
    "two dummy traps",
    "one row apart",
    "given twice beside nearly twice",
    "nearly constant",
]


@pytest.mark.parametrize("rows", [1000, 20_000, 250_000])
@pytest.mark.parametrize("kind", KINDS)
def test_collinear_columns_are_named_whatever_the_rows(kind: str, rows: int) -> None:
    features, places = table(kind, rows, seed=rows)
    target = 1 + np.random.default_rng(1).normal(size=rows)
    with pytest.raises(TrainingError) as raised:
        fit(features, target)
    wanted = ", ".join(named(places, features.shape[1]))
    assert f"linear combinations of each other: {wanted}; leave one out" in str(raised.value)


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("kind", KINDS)
def test_the_smallest_solution_at_any_scale_keeps_the_fit(kind: str, seed: int) -> None:
    """Columns of 1e-8 to 1e8: those named, the rank and the residuals are as of numpy.linalg.lstsq with norms of 1."""
    rows = 3 * BATCH_ROWS
    features, places = table(kind, rows, seed)
    generator = np.random.default_rng(seed)
    features = features * 10.0 ** generator.integers(-8, 9, features.shape[1])
    target = generator.normal(size=rows)
    solution = fit(features, target, allow_collinear=True)
    assert solution.collinear == named(places, features.shape[1])
    matrix = np.column_stack([features, np.ones(rows)])
    norms = np.linalg.norm(matrix, axis=0)
    wanted, _, rank, _ = np.linalg.lstsq(matrix / np.where(norms == 0, 1, norms), target, rcond=1e-13)
    assert solution.rank == rank
    best = np.linalg.norm(target - matrix / np.where(norms == 0, 1, norms) @ wanted)
    left = np.linalg.norm(target - matrix @ np.append(solution.weight, solution.bias))
    assert left == pytest.approx(best, rel=1e-7)
    assert solution.residual_norm == pytest.approx(best, rel=1e-7)


@pytest.mark.parametrize("rows", [1000, 100_000])
@pytest.mark.parametrize("kind", ["two dummies", "constant", "fahrenheit", "two dummy traps", "sum"])
def test_the_solution_is_the_smallest(kind: str, rows: int) -> None:
    features, _ = table(kind, rows, seed=3)
    target = features @ np.arange(1.0, features.shape[1] + 1) + np.random.default_rng(3).normal(size=rows)
    solution = fit(features, target, allow_collinear=True)
    wanted = np.linalg.lstsq(np.column_stack([features, np.ones(rows)]), target, rcond=1e-11)[0]
    np.testing.assert_allclose(
        np.append(solution.weight, solution.bias), wanted, rtol=0, atol=1e-9 * np.abs(wanted).max()
    )


def test_the_smallest_solution_of_columns_of_very_different_scale() -> None:
    """w0 1e8 + w1 1e-8 is known only: by hand, both are 1e-8 and 1e-24 times the same number."""
    a = np.random.default_rng(4).normal(size=5000)
    solution = fit(np.stack([1e8 * a, 1e-8 * a], axis=1), 3 * a + 1, allow_collinear=True)
    assert solution.weight == pytest.approx([3e-8, 3e-24], rel=1e-12)
    assert solution.bias == pytest.approx(1, rel=1e-12)


# Columns that are not collinear


def right_digits(solution: LeastSquares, certified: list[float]) -> float:
    got = np.append(solution.bias, solution.weight)
    return float(-np.log10(np.abs(got / np.array(certified) - 1).max() + 1e-17))


@pytest.mark.parametrize("times", [1, 100, 20_000])
def test_filip_stays_regular_tiled_too(times: int) -> None:
    """Its smallest singular value is 1.9e-10 of the columns' norms; float64 columns know 7.6 digits of the solution."""
    table = np.loadtxt(DATA / "filip.csv", delimiter=",", skiprows=1)
    features = np.tile(table[:, 1:] ** np.arange(1, 11), (times, 1))
    solution = fit(features, np.tile(table[:, 0], times))
    assert solution.rank == 11
    assert solution.collinear == ()
    assert right_digits(solution, FILIP) > 7.4


@pytest.mark.parametrize("times", [1, 20_000])
def test_longley_stays_regular_tiled_too(times: int) -> None:
    lines = (DATA / "Longley.dat").read_text().splitlines()
    start = max(number for number, line in enumerate(lines) if line.startswith("Data:"))
    table = np.array([[float(cell) for cell in line.split()] for line in lines[start + 1 :] if line.strip()])
    solution = fit(np.tile(table[:, 1:], (times, 1)), np.tile(table[:, 0], times))
    assert solution.rank == 7
    assert right_digits(solution, LONGLEY) > 11


def exact(features: Array, target: Array) -> list[Fraction]:
    """The solution in rationals; every value is a whole number."""
    matrix = np.column_stack([features, np.ones(len(target)), target]).astype(object)
    whole = np.vectorize(int, otypes=[object])(matrix)
    products = whole.T @ whole
    system = [[Fraction(value) for value in row] for row in products[:-1]]
    return solved([row[:-1] for row in system], [row[-1] for row in system])


@pytest.mark.parametrize("rows", [100, 60_000])
@pytest.mark.parametrize(("bits", "right"), [(20, 13), (30, 10), (40, 7)])
def test_a_column_and_the_same_with_noise_stay_regular(bits: int, right: float, rows: int) -> None:
    """Noise of 2^-bits of the column, in whole numbers; against rationals."""
    generator = np.random.default_rng(5)
    a = generator.integers(-(2**8), 2**8, rows).astype(float)
    noise = generator.integers(-(2**8), 2**8, rows).astype(float)
    features = np.stack([a * 2**bits, a * 2**bits + noise], axis=1)
    target = np.round(a + noise + generator.integers(-9, 9, rows))
    solution = fit(features, target)
    assert solution.collinear == ()
    assert solution.rank == 3
    wanted = np.array([float(value) for value in exact(features, target)])
    got = np.append(solution.weight, solution.bias)
    assert (np.abs(got[:2] / wanted[:2] - 1) < 10.0**-right).all()
    # The columns contribute 2^(8 + bits) each, rounded.
    assert abs(got[2] - wanted[2]) < 2.0 ** (8 + bits - 53)


@pytest.mark.parametrize("rows", [1000, 250_000])
def test_one_row_that_differs_is_enough(rows: int) -> None:
    column = np.full(rows, 7.0)
    column[rows // 2] += 1e-6
    features = np.stack([column, np.random.default_rng(6).normal(size=rows)], axis=1)
    target = features[:, 1] + np.random.default_rng(7).normal(size=rows)
    solution = fit(features, target)
    assert solution.collinear == ()
    # That row is met exactly, by the one coefficient that it alone decides.
    assert target[rows // 2] == pytest.approx(features[rows // 2] @ solution.weight + solution.bias, abs=1e-6)


@pytest.mark.parametrize("rows", [4, 5, 6])
def test_hardly_more_rows_than_columns(rows: int) -> None:
    features = np.random.default_rng(8).normal(size=(rows, 3))
    assert fit(features, np.arange(float(rows))).collinear == ()
    features[:, 2] = features[:, 0] - 3 * features[:, 1] + 1
    with pytest.raises(TrainingError, match=r"x0, x1, x2, \(intercept\); leave"):
        fit(features, np.arange(float(rows)))


def test_rows_given_several_times_do_not_make_up_for_others() -> None:
    features = np.tile(np.random.default_rng(9).normal(size=(3, 3)), (500, 1))
    with pytest.raises(TrainingError, match=r"x0, x1, x2, \(intercept\); leave"):
        fit(features, np.arange(1500.0))


def test_the_data_are_read_again_only_where_there_are_candidates(monkeypatch: pytest.MonkeyPatch) -> None:
    def never(*_arguments: object) -> None:
        raise AssertionError("another pass")

    monkeypatch.setattr(collinearity, "_images", never)
    generator = np.random.default_rng(10)
    features = generator.normal(size=(50_000, 4))
    assert fit(features, generator.normal(size=50_000)).rank == 5
    features[:, 3] = features[:, 2] + 1e-5 * features[:, 3]
    assert fit(features, generator.normal(size=50_000)).rank == 5
    features[:, 3] = features[:, 2]
    with pytest.raises(AssertionError, match="another pass"):
        fit(features, generator.normal(size=50_000))
