"""The exact solution against certified values, exact rationals and NumPy."""

import math
import os
import re
import subprocess
import sys
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from linreg import least_squares
from linreg.errors import DataError, TrainingError
from linreg.gradient import gradient
from linreg.least_squares import INTERCEPT, LeastSquares, solve
from linreg.triangle import BATCH_ROWS
from tests.conftest import TESTS

Array = NDArray[np.float64]
DATA = TESTS / "data"
MANY = 3 * 8192 + 11


# Oracles


def exact(features: Array, target: Array, *, intercept: bool = True) -> list[Fraction]:
    """The solution in rationals, of the normal equations."""
    rows = [[Fraction(float(value)) for value in row] + [Fraction(1)] * intercept for row in features]
    wanted = [Fraction(float(value)) for value in target]
    size = len(rows[0])
    system = [
        [sum((row[i] * row[j] for row in rows), Fraction(0)) for j in range(size)]
        + [sum((row[i] * value for row, value in zip(rows, wanted, strict=True)), Fraction(0))]
        for i in range(size)
    ]
    for i in range(size):
        pivot = next(j for j in range(i, size) if system[j][i])
        system[i], system[pivot] = system[pivot], system[i]
        system[i] = [value / system[i][i] for value in system[i]]
        for j in range(size):
            if j != i and system[j][i]:
                factor = system[j][i]
                system[j] = [value - factor * other for value, other in zip(system[j], system[i], strict=True)]
    return [row[-1] for row in system]


def digits(value: float, certified: float) -> float:
    """NIST's LRE: the number of right digits."""
    error = abs(value - certified) / abs(certified) if certified else abs(value)
    return 15.0 if error == 0 else min(15.0, -math.log10(error))


def digits_of(solution: LeastSquares, wanted: list[Fraction]) -> float:
    """The right digits of the worst coefficient, against rationals."""
    got = parameters(solution)[: len(wanted)]
    pairs = [(Fraction(float(value)), right) for value, right in zip(got, wanted, strict=True)]
    errors = [abs(value / right - 1) if right else abs(value) for value, right in pairs]
    return min(15.0 if error == 0 else -math.log10(error) for error in errors)


def parameters(solution: LeastSquares) -> Array:
    return np.append(solution.weight, solution.bias)


def fit(features: Array, target: Array, **options: Any) -> LeastSquares:
    names = tuple(f"x{place}" for place in range(features.shape[1]))
    return solve(features, target, names=names, **options)


def noisy(rows: int = 200, columns: int = 4, seed: int = 0, noise: float = 0.5) -> tuple[Array, Array]:
    generator = np.random.default_rng(seed)
    features = generator.normal(size=(rows, columns)) * 10.0 ** np.arange(columns)
    return features, features @ np.linspace(1, 2, columns) + 3 + noise * generator.normal(size=rows)


# NIST


def nist(name: str) -> tuple[Array, Array, list[tuple[float, float]], float]:
    """Features, target, certified (estimate, standard deviation) from the intercept on, and the residual deviation."""
    lines = (DATA / f"{name}.dat").read_text().splitlines()
    found = [re.match(r"\s+B\d\s+(\S+)\s+(\S+)\s*$", line) for line in lines]
    certified = [(float(match[1]), float(match[2])) for match in found if match]
    place = next(number for number, line in enumerate(lines) if line.strip() == "Residual")
    spread = float(lines[place + 1].split()[-1])
    start = max(number for number, line in enumerate(lines) if line.startswith("Data:"))
    table = np.array([[float(cell) for cell in line.split()] for line in lines[start + 1 :] if line.strip()])
    features = table[:, 1:]
    if name.startswith("Wampler"):
        features = features ** np.arange(1, len(certified))
    assert features.shape[1] == len(certified) - 1
    return features, table[:, 0], certified, spread


NIST = {"Norris": (36, 2), "Longley": (16, 7), "Wampler1": (21, 6), "Wampler5": (21, 6)}


@pytest.mark.parametrize("name", NIST)
def test_ten_certified_digits_of_coefficients_and_of_standard_errors(name: str) -> None:
    features, target, certified, spread = nist(name)
    assert (len(target), len(certified)) == NIST[name]
    solution = fit(features, target)
    assert solution.weight_errors is not None
    assert solution.bias_error is not None
    estimates = [solution.bias, *solution.weight]
    errors = [solution.bias_error, *solution.weight_errors]
    assert min(digits(got, wanted) for got, (wanted, _) in zip(estimates, certified, strict=True)) >= 10
    assert min(digits(got, wanted) for got, (_, wanted) in zip(errors, certified, strict=True)) >= 10
    freedom = len(target) - len(certified)
    assert digits(solution.residual_norm / math.sqrt(freedom), spread) >= 10
    assert solution.rank == len(certified)


def test_the_digits_come_from_the_refinement(monkeypatch: pytest.MonkeyPatch) -> None:
    features, target, certified, _ = nist("Wampler5")
    monkeypatch.setattr(least_squares, "gradient", lambda *arguments: (np.zeros(len(arguments[2])), 1.0))
    solution = fit(features, target)
    estimates = [solution.bias, *solution.weight]
    reached = min(digits(got, wanted) for got, (wanted, _) in zip(estimates, certified, strict=True))
    assert 4 < reached < 10


@pytest.mark.parametrize("rows", [400, 2 * BATCH_ROWS])
@pytest.mark.parametrize("noise", [1e-6, 1.0, 1e6])
def test_the_gradient_is_formed_beyond_float64(rows: int, noise: float) -> None:
    """A^T (y - A x) at the solution is a sum that cancels: float64 alone is wrong by 2^-53 of its terms."""
    features, target = noisy(rows, 2, noise=noise)
    solution = parameters(fit(features, target))
    matrix = np.column_stack([features, np.ones(rows)])
    exponents = np.frexp(np.linalg.norm(np.column_stack([matrix, target]), axis=0))[1].astype(np.int_)
    scaled = np.ldexp(solution, exponents[:3] - exponents[3])
    norm = float(np.linalg.norm(np.ldexp(target - matrix @ solution, -exponents[3])))
    got, squares = gradient(features, target, scaled, exponents, 2 * norm, True)
    scales = [Fraction(2) ** int(exponent) for exponent in exponents]
    wanted = [Fraction(0)] * 3
    total = Fraction(0)
    for row, value in zip(matrix.tolist(), target.tolist(), strict=True):
        a = [Fraction(entry) / scale for entry, scale in zip(row, scales, strict=False)]
        residual = Fraction(value) / scales[3] - sum(
            x * Fraction(float(entry)) for x, entry in zip(a, scaled, strict=True)
        )
        wanted = [sum_ + x * residual for sum_, x in zip(wanted, a, strict=True)]
        total += residual**2
    worst = max(abs(float(Fraction(float(g)) - w)) for g, w in zip(got, wanted, strict=True))
    assert worst <= 2.0**-66 * norm + 2.0**-72
    assert squares == pytest.approx(float(total), rel=1e-10)


# Relations between two fits (Luu, Lau, Ng, Chen 2021): 11, closed form 1e-12


def close(got: Array, wanted: Array) -> None:
    """Equal to 1e-12 of each coefficient."""
    assert np.abs(got - wanted).max(initial=0.0) <= 1e-12 * np.abs(wanted).max(initial=0.0)
    assert (np.abs(got - wanted) <= 1e-12 * np.abs(wanted)).all()


problems = st.builds(
    noisy,
    rows=st.integers(12, 60),
    columns=st.integers(2, 5),
    seed=st.integers(0, 2**32),
    noise=st.sampled_from([0.1, 1.0, 10.0]),
)
relation = settings(max_examples=25, deadline=None, derandomize=True)


@relation
@given(problems, st.integers(0, 2**32))
def test_rows_in_another_order(problem: tuple[Array, Array], seed: int) -> None:
    features, target = problem
    order = np.random.default_rng(seed).permutation(len(target))
    close(parameters(fit(features[order], target[order])), parameters(fit(features, target)))


@relation
@given(problems, st.integers(0, 2**32))
def test_columns_in_another_order(problem: tuple[Array, Array], seed: int) -> None:
    features, target = problem
    order = np.random.default_rng(seed).permutation(features.shape[1])
    close(fit(features[:, order], target).weight, fit(features, target).weight[order])
    close(np.array(fit(features[:, order], target).bias), np.array(fit(features, target).bias))


@relation
@given(problems, st.integers(2, 5))
def test_every_row_several_times(problem: tuple[Array, Array], times: int) -> None:
    features, target = problem
    close(parameters(fit(np.tile(features, (times, 1)), np.tile(target, times))), parameters(fit(features, target)))


@relation
@given(problems, st.sampled_from([1e-6, 0.3, 1000.0, -7.0]))
def test_target_times_a_number(problem: tuple[Array, Array], factor: float) -> None:
    features, target = problem
    close(parameters(fit(features, target * factor)), parameters(fit(features, target)) * factor)


@relation
@given(problems, st.sampled_from([-5.0, 0.1, 1e4]))
def test_target_plus_a_number(problem: tuple[Array, Array], shift: float) -> None:
    features, target = problem
    moved, before = fit(features, target + shift), fit(features, target)
    # The rounding of `target + shift` itself is part of the weights.
    assert np.abs(moved.weight - before.weight).max() <= 1e-12 * max(1.0, abs(shift))
    assert abs(moved.bias - before.bias - shift) <= 1e-12 * (abs(before.bias) + abs(shift))


@relation
@given(problems, st.sampled_from([1e-6, 0.1, 1e6]))
def test_a_column_times_a_number(problem: tuple[Array, Array], factor: float) -> None:
    features, target = problem
    scale = np.ones(features.shape[1])
    scale[1] = factor
    moved, before = fit(features * scale, target), fit(features, target)
    close(moved.weight * scale, before.weight)
    close(np.array(moved.bias), np.array(before.bias))


@relation
@given(problems, st.sampled_from([-20.0, 0.5, 1e3]))
def test_a_column_plus_a_number(problem: tuple[Array, Array], shift: float) -> None:
    features, target = problem
    offset = np.zeros(features.shape[1])
    offset[-1] = shift
    moved, before = fit(features + offset, target), fit(features, target)
    close(moved.weight, before.weight)
    wanted = before.bias - shift * before.weight[-1]
    assert abs(moved.bias - wanted) <= 1e-12 * (abs(before.bias) + abs(shift * before.weight[-1]))


@relation
@given(problems)
def test_the_negative_target(problem: tuple[Array, Array]) -> None:
    features, target = problem
    close(parameters(fit(features, -target)), -parameters(fit(features, target)))


@relation
@given(problems)
def test_a_negative_column(problem: tuple[Array, Array]) -> None:
    features, target = problem
    sign = np.where(np.arange(features.shape[1]) == 0, -1.0, 1.0)
    moved, before = fit(features * sign, target), fit(features, target)
    close(moved.weight * sign, before.weight)
    close(np.array(moved.bias), np.array(before.bias))


@relation
@given(problems, st.integers(0, 2**32))
def test_a_row_that_is_predicted_already(problem: tuple[Array, Array], seed: int) -> None:
    features, target = problem
    before = fit(features, target)
    row = np.random.default_rng(seed).normal(size=(1, features.shape[1]))
    more = np.vstack([features, row]), np.append(target, row @ before.weight + before.bias)
    close(parameters(fit(*more)), parameters(before))


@relation
@given(problems)
def test_the_centroid_as_a_row(problem: tuple[Array, Array]) -> None:
    features, target = problem
    more = np.vstack([features, features.mean(axis=0)]), np.append(target, target.mean())
    close(parameters(fit(*more)), parameters(fit(features, target)))


# Against rationals and NumPy


@pytest.mark.parametrize("intercept", [True, False])
@pytest.mark.parametrize("rows", [5, 300, BATCH_ROWS, BATCH_ROWS + 1])
def test_any_number_of_rows(rows: int, intercept: bool) -> None:
    features, target = noisy(rows, 3)
    solution = fit(features, target, intercept=intercept)
    assert digits_of(solution, exact(features, target, intercept=intercept)) > 14
    if not intercept:
        assert solution.bias == 0.0
        assert solution.bias_error is None
    assert solution.rank == 3 + intercept


def test_many_batches_against_rationals() -> None:
    features, target = noisy(MANY, 2, noise=20.0)
    assert digits_of(fit(features, target), exact(features, target)) > 14


def test_many_batches_of_an_ill_conditioned_problem_against_rationals() -> None:
    x = np.random.default_rng(3).integers(0, 2**10, size=MANY).astype(np.float64)
    features = np.stack([x, x**2, x**3], axis=1)
    target = 1 + x + x**2 + x**3 + 1e8 * np.random.default_rng(4).normal(size=len(x))
    assert digits_of(fit(features, target), exact(features, target)) > 12


def test_standard_errors_and_residual_norm_against_numpy() -> None:
    features, target = noisy(500, 3)
    solution = fit(features, target)
    matrix = np.column_stack([features, np.ones(len(target))])
    residual = target - matrix @ parameters(solution)
    variance = residual @ residual / (len(target) - 4)
    wanted = np.sqrt(variance * np.diag(np.linalg.inv(matrix.T @ matrix)))
    assert solution.weight_errors is not None
    assert np.append(solution.weight_errors, solution.bias_error) == pytest.approx(wanted, rel=1e-9)
    assert solution.residual_norm == pytest.approx(np.linalg.norm(residual), rel=1e-12)


def test_as_many_rows_as_parameters_have_no_standard_errors() -> None:
    features, target = noisy(4, 3)
    solution = fit(features, target)
    assert solution.weight_errors is None
    assert solution.bias_error is None
    assert digits_of(solution, exact(features, target)) > 12
    assert solution.residual_norm <= 1e-12 * np.linalg.norm(target)
    assert fit(features, target, intercept=False).weight_errors is not None


def test_fewer_rows_than_parameters() -> None:
    features, target = noisy(3, 3)
    with pytest.raises(DataError, match=r"got 3 rows for 4 parameters, expected at least 4; .* --method sgd"):
        fit(features, target)
    assert fit(features, target, intercept=False).rank == 3


def test_a_target_of_zeros() -> None:
    solution = fit(noisy()[0], np.zeros(200))
    assert parameters(solution).tolist() == [0, 0, 0, 0, 0]
    assert solution.residual_norm == 0
    assert solution.weight_errors is not None
    assert solution.weight_errors.tolist() == [0, 0, 0, 0]


@pytest.mark.parametrize("layout", ["fortran", "strided", "reversed", "read-only"])
def test_any_layout_gives_the_same_bytes_and_is_left_alone(layout: str) -> None:
    features, target = noisy()
    wanted = parameters(fit(features, target)).tobytes()
    wide = np.repeat(features, 2, axis=1)
    other = {
        "fortran": np.asfortranarray(features),
        "strided": wide[:, ::2],
        "reversed": features[::-1].copy()[::-1],
        "read-only": features.copy(),
    }[layout]
    other.flags.writeable = False
    target.flags.writeable = False
    assert parameters(fit(other, target)).tobytes() == wanted
    assert np.array_equal(other, features)


# Scales and offsets


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
    with pytest.raises(DataError, match="the coefficients leave the range of float64; rescale the columns"):
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


# Collinear columns


def minimum_norm(features: Array, target: Array, *, intercept: bool = True) -> Array:
    matrix = np.column_stack([features, np.ones(len(target))]) if intercept else features
    return np.asarray(np.linalg.lstsq(matrix, target, rcond=1e-12)[0])


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


# The same bytes everywhere


def test_the_number_of_threads_changes_no_byte() -> None:
    program = """
import sys
import numpy as np
from linreg.least_squares import solve
generator = np.random.default_rng(0)
features = generator.normal(size=(20_000, 24))
target = features @ np.arange(24.0) + generator.normal(size=20_000)
solution = solve(features, target, names=tuple(map(str, range(24))))
parts = (solution.weight, solution.weight_errors, solution.bias, solution.bias_error, solution.residual_norm)
print(np.concatenate([np.ravel(part) for part in parts]).tobytes().hex())
"""
    outputs = set()
    for threads in ("1", "2", "8"):
        environment = {**os.environ, "OPENBLAS_NUM_THREADS": threads, "OMP_NUM_THREADS": threads}
        command = [sys.executable, "-W", "error", "-c", program]
        outputs.add(subprocess.run(command, env=environment, check=True, capture_output=True, text=True).stdout)
    assert len(outputs) == 1
    assert len(outputs.pop()) == 2 * 8 * (24 + 24 + 3) + 1
