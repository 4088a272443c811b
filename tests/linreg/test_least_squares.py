"""Coefficients and standard errors against NIST, exact rationals and NumPy; the same bytes for any threads."""

import math
import os
import subprocess
import sys
from fractions import Fraction

import numpy as np
import pytest

from linreg import least_squares
from linreg.errors import DataError
from linreg.gradient import gradient
from linreg.triangle import BATCH_ROWS
from tests.least_squares_problems import MANY, digits, digits_of, exact, fit, nist, noisy, parameters, problem_of

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
    monkeypatch.setattr(least_squares, "gradient", lambda *arguments: (np.zeros(len(arguments[1])), 1.0))
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
    got, squares = gradient(problem_of(features, target), scaled, exponents, 2 * norm)
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
