"""Problems of least squares, and oracles: exact rationals, and digits that agree with certified values."""

import math
import re
from collections.abc import Sequence
from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import NDArray

from linreg.least_squares import LeastSquares, solve
from linreg.problem import Problem
from linreg.reading.arrays_stream import ArraysStream
from tests.conftest import TESTS

Array = NDArray[np.float64]
DATA = TESTS / "data"
MANY = 3 * 8192 + 11


def exact(features: Array, target: Array, *, intercept: bool = True) -> list[Fraction]:
    """The solution in rationals, of the normal equations."""
    rows = [[Fraction(float(value)) for value in row] + [Fraction(1)] * intercept for row in features]
    wanted = [Fraction(float(value)) for value in target]
    columns = list(zip(*rows, strict=True))
    matrix = [[_dot(column, other) for other in columns] for column in columns]
    return solved(matrix, [_dot(column, wanted) for column in columns])


def solved(matrix: list[list[Fraction]], right: list[Fraction]) -> list[Fraction]:
    """The solution of a regular system, by Gauss-Jordan elimination in fractions."""
    size = len(right)
    system = [[*row, value] for row, value in zip(matrix, right, strict=True)]
    for place in range(size):
        pivot = next(row for row in range(place, size) if system[row][place])
        system[place], system[pivot] = system[pivot], system[place]
        system[place] = [value / system[place][place] for value in system[place]]
        for row in range(size):
            if row != place and system[row][place]:
                factor = system[row][place]
                system[row] = [a - factor * b for a, b in zip(system[row], system[place], strict=True)]
    return [row[-1] for row in system]


def _dot(one: Sequence[Fraction], other: Sequence[Fraction]) -> Fraction:
    return sum((a * b for a, b in zip(one, other, strict=True)), Fraction(0))


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


def problem_of(features: Array, target: Array, intercept: bool = True, **options: Any) -> Problem:
    names = tuple(f"x{place}" for place in range(features.shape[1]))
    stream = ArraysStream(features=features, target=target, feature_names=names)
    return Problem(stream=stream, intercept=intercept, **options)


def noisy(rows: int = 200, columns: int = 4, seed: int = 0, noise: float = 0.5) -> tuple[Array, Array]:
    generator = np.random.default_rng(seed)
    features = generator.normal(size=(rows, columns)) * 10.0 ** np.arange(columns)
    return features, features @ np.linspace(1, 2, columns) + 3 + noise * generator.normal(size=rows)


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


def close(got: Array, wanted: Array) -> None:
    """Equal to 1e-12 of each coefficient."""
    assert np.abs(got - wanted).max(initial=0.0) <= 1e-12 * np.abs(wanted).max(initial=0.0)
    assert (np.abs(got - wanted) <= 1e-12 * np.abs(wanted)).all()


def minimum_norm(features: Array, target: Array, *, intercept: bool = True) -> Array:
    matrix = np.column_stack([features, np.ones(len(target))]) if intercept else features
    return np.asarray(np.linalg.lstsq(matrix, target, rcond=1e-12)[0])
