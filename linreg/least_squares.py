"""Solve a linear least-squares problem exactly, in float64.

The data are read in passes over blocks of rows: see `linreg.problem`.

1. The first pass adds up products of columns: `linreg.survey`. They, or another pass, give R of a QR factorisation of
   [features, 1, target]: `linreg.triangle`.
2. R gives the rest without another pass: whether values are finite, column scales, the first solution, the residual
   norm, and whether columns are collinear. If R is inconclusive, the data decide: `linreg.collinearity`.
3. One refinement step x += R^-1 R^-T A^T r follows, where r = y - A x and A^T r are computed in more than float64
   precision: `linreg.gradient`. The certified digits of NIST's test problems need it. If columns are nearly collinear,
   the step is repeated, if necessary with the result of step 2 instead of R.
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import qr_multiply, solve_triangular

from linreg.collinearity import Directions, Matrix, directions_of, in_words
from linreg.errors import DataError, TrainingError
from linreg.gradient import gradient
from linreg.problem import Problem
from linreg.reading.arrays_stream import ArraysStream
from linreg.survey import Survey, survey_of
from linreg.triangle import triangle_of

Array = NDArray[np.float64]

INTERCEPT = "(intercept)"
MOST_STEPS = 8
NOT_FINITE = "exact fit: values are not finite, or a column's norm exceeds float64; rescale the columns"


NEARLY = 2.0**26
"""Columns are nearly collinear if rounding of the data takes half of the digits from a coefficient."""


@dataclass(frozen=True, kw_only=True)
class NearCollinearity:
    """Columns that are almost linear combinations of each other.

    Attributes:
        columns: their names.
        condition: condition number of the matrix, each column divided by its norm.
    """

    columns: tuple[str, ...]
    condition: float


@dataclass(frozen=True, kw_only=True)
class LeastSquares:
    """The solution of min |y - features @ weight - bias|.

    Attributes:
        weight: float64, shape (features,).
        bias: 0.0 if none was fitted.
        weight_errors: standard errors, shape (features,); None without a degree of freedom or if columns are collinear.
        bias_error: standard error of the bias; None in the same cases, or if no bias was fitted.
        residual_norm: |y - A x|.
        rank: rank of the matrix of features and intercept.
        collinear: names of columns that are linear combinations of others; empty at full rank.
        near: columns that are nearly so; None if there are none, or if others are collinear.
    """

    weight: Array
    bias: float
    weight_errors: Array | None
    bias_error: float | None
    residual_norm: float
    rank: int
    collinear: tuple[str, ...]
    near: NearCollinearity | None


def solve(
    features: Array,
    target: Array,
    *,
    names: tuple[str, ...],
    intercept: bool = True,
    allow_collinear: bool = False,
) -> LeastSquares:
    """Solve a least-squares problem.

    Args:
        features: float64, shape (rows, features).
        target: float64, shape (rows,).
        names: names of the features, used in messages.
        intercept: whether to fit a bias.
        allow_collinear: return the minimum-norm solution (over weights and bias) if columns are collinear.

    Raises:
        DataError: there are fewer rows than parameters, or float64 cannot hold a value or a coefficient.
        TrainingError: columns are collinear, and `allow_collinear` is not set.
    """
    stream = ArraysStream(features=features, target=target, feature_names=names)
    problem = Problem(stream=stream, intercept=intercept)
    survey = survey_of(problem, digests=False) if len(target) else None
    if survey is not None and survey.complete < len(target):
        raise DataError(NOT_FINITE)
    return solution_of(problem, survey, allow_collinear=allow_collinear)


def solution_of(problem: Problem, survey: Survey | None, *, allow_collinear: bool = False) -> LeastSquares:
    """Solve a least-squares problem over the training rows of a table.

    Args:
        problem: the table.
        survey: as `survey_of` returns it; None for a table without rows.
        allow_collinear: as for `solve`.

    Raises:
        DataError: as for `solve`.
        TrainingError: as for `solve`.
    """
    rows, columns = survey.part_rows[0] if survey else 0, problem.columns
    if survey is None or rows < columns:
        raise DataError(
            f"exact fit: got {rows} rows for {columns} parameters, expected at least {columns}; "
            "add rows, choose fewer --features, or use --method sgd"
        )
    intercept, names = problem.intercept, problem.stream.feature_names
    labels = (*names, INTERCEPT) if intercept else names
    scaled, exponents = _scaled(triangle_of(problem, survey.products, rows))
    matrix = Matrix(problem=problem, rows=rows, places=np.arange(columns), exponents=exponents[:columns])
    directions = directions_of(scaled[:columns, :columns], matrix)
    null = directions.null if directions else np.zeros((columns, 0))
    collinear = tuple(label for label, row in zip(labels, null, strict=True) if row.any())
    if collinear and not allow_collinear:
        raise TrainingError(
            f"exact fit: these columns are linear combinations of each other: {in_words(collinear)}; "
            "leave one out with --features, or take the minimum-norm solution with --allow-collinear"
        )
    solution, squares, inverse = _solution(problem, scaled, exponents, directions)
    if collinear:
        solution = _smallest(solution, null, exponents[:columns])

    back = exponents[columns] - exponents[:columns]  # column k was divided by 2^exponents[k], the target by the last
    parameters = _in_range(solution, back)
    errors = None
    if rows > columns and not collinear:
        spread = np.sqrt(squares / (rows - columns))
        errors = _in_range(spread * np.linalg.norm(inverse, axis=1), back)
    count = problem.features
    return LeastSquares(
        weight=parameters[:count],
        bias=float(parameters[count]) if intercept else 0.0,
        weight_errors=None if errors is None else errors[:count],
        bias_error=float(errors[count]) if errors is not None and intercept else None,
        residual_norm=float(np.ldexp(np.sqrt(squares), exponents[columns])),
        rank=columns - null.shape[1],
        collinear=collinear,
        near=None if collinear else _near(scaled[:columns, :columns], inverse, labels),
    )


def _scaled(triangle: Array) -> tuple[Array, NDArray[np.int_]]:
    """Return R with its columns scaled to a norm of 1/2 to 1, and the exponents of the scale.

    The scales are powers of two, so scaling rounds nothing.

    Raises:
        DataError: a value is not finite, or the norm of a column exceeds float64.
    """
    if not np.isfinite(triangle).all():
        raise DataError(NOT_FINITE)
    exponents = _exponents(triangle)
    return np.ldexp(triangle, -exponents), exponents


def _solution(
    problem: Problem, scaled: Array, exponents: NDArray[np.int_], directions: Directions | None
) -> tuple[Array, float, Array]:
    """Return the scaled solution, |y - A x|^2, and a matrix whose row norms are standard errors per unit residual.

    Args:
        problem: the rows.
        scaled: the scaled triangle.
        exponents: exponents of its scaling.
        directions: as `directions_of` found them; None if R alone is conclusive.
    """
    columns = len(scaled) - 1
    basis, projected = scaled[:columns, :columns], scaled[:columns, columns]
    if directions is None:
        inverse = np.asarray(np.linalg.inv(basis))  # by substitution too, without starting BLAS threads
        first = solve_triangular(basis, projected)
        return *_refined(problem, scaled, exponents, first, None), inverse
    inverse, kept = np.hstack([directions.kept, directions.near]), directions.kept
    first = kept @ (kept.T @ (basis.T @ projected))
    return *_refined(problem, scaled, exponents, first, inverse), inverse


def _near(basis: Array, inverse: Array, labels: tuple[str, ...]) -> NearCollinearity | None:
    """Find nearly collinear columns: those whose standard error is far larger than it would be without the others."""
    norms = np.linalg.norm(basis, axis=0)
    inflation = norms * np.linalg.norm(inverse, axis=1)
    if inflation.max() <= NEARLY:
        return None
    values = np.linalg.svd(basis / norms, compute_uv=False)
    involved = inflation > 0.01 * inflation.max()
    return NearCollinearity(
        columns=tuple(label for label, one in zip(labels, involved, strict=True) if one),
        condition=float(values[0] / values[-1]),
    )


def _exponents(triangle: Array) -> NDArray[np.int_]:
    """Return the exponents of the norms of the columns.

    Each column is first scaled to a peak of 1/2 to 1, so that no square leaves the range of float64.
    """
    peaks = np.frexp(np.abs(triangle).max(axis=0))[1].astype(np.int_)
    return np.asarray(peaks + np.frexp(np.linalg.norm(np.ldexp(triangle, -peaks), axis=0))[1], dtype=np.int_)


def _in_range(values: Array, exponents: NDArray[np.int_]) -> Array:
    """Return `values * 2^exponents`, and refuse what float64 cannot hold.

    A value so small that it is only the rounding error of a 0 is not refused.
    """
    with np.errstate(over="ignore"):
        scaled = np.ldexp(values, exponents)
    lost = (np.abs(scaled) < 2.0**-1040) & (np.abs(values) > 2.0**-44)  # 34 bits are left there
    if lost.any() or not np.isfinite(scaled).all():
        raise DataError("exact fit: the coefficients exceed the range of float64; rescale the columns")
    return scaled


def _refined(
    problem: Problem, scaled: Array, exponents: NDArray[np.int_], solution: Array, inverse: Array | None
) -> tuple[Array, float]:
    """Refine a first solution; return the scaled solution and |y - A x|^2.

    If a step is k digits smaller than the solution, it gains k digits, so one step is enough unless columns are nearly
    collinear. In that case R is too inaccurate, and `inverse` inverse^T is used as the inverse of A^T A instead.
    """
    basis = scaled[:-1, :-1]
    left_out = scaled[:-1, -1] - basis @ solution if inverse is not None else np.zeros(1)
    length = float(np.hypot(np.linalg.norm(left_out), scaled[-1, -1]))
    enough = 2.0**-30 if inverse is None else 2.0**-50
    squares = 0.0
    for _ in range(MOST_STEPS):
        bound = 2 * length + 2.0**-44 * (1 + float(np.abs(solution).sum()))
        slope, squares = gradient(problem, solution, exponents, bound)
        if inverse is None:
            step = solve_triangular(basis, solve_triangular(basis, slope, trans="T"))
        else:
            step = inverse @ (inverse.T @ slope)
        solution = solution + step
        squares = max(squares - 2 * float(step @ slope) + float(np.sum((basis @ step) ** 2)), 0.0)
        length = math.sqrt(squares)
        if float(np.abs(step).max()) <= enough * float(np.abs(solution).max()):
            break
    return solution, squares


def _smallest(solution: Array, null: Array, exponents: NDArray[np.int_]) -> Array:
    """Return the minimum-norm solution x - N z, where z minimises the norm in the units of the data.

    The correction lies in the null space, so rounding of z does not change the fit. A QR factorisation with rows sorted
    by size and pivoted columns stays accurate in small rows (Cox, Higham 1998).
    """
    involved = null.any(axis=1)
    rows, scale = null[involved], -exponents[involved]
    places = np.frexp(np.abs(rows).max(axis=1))[1] + scale
    order = np.argsort(-places, kind="stable")
    raw = np.ldexp(rows, (scale - places.max())[:, None])[order]
    smallest = solution.copy()
    for _ in range(2):
        wanted = np.ldexp(smallest[involved], scale - places.max())[order]
        product, upper, pivots = qr_multiply(raw, wanted, mode="right", pivoting=True)
        multiples = np.empty(null.shape[1])
        multiples[pivots] = solve_triangular(upper, product)
        smallest -= null @ multiples
    return smallest
