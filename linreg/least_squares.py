"""The exact solution of a linear least-squares problem, in float64.

1. R of a QR factorisation of [features, 1, target] is accumulated over row batches: `linreg.triangle`.
2. R gives everything else without another pass: finiteness, column scales, rank, the first solution, the residual norm.
3. One refinement x += R^-1 R^-T A^T r, with r = y - A x and A^T r formed beyond float64.

The third step is what certified digits need. Each operand is cut in two, v = high + low, where `high` is a multiple of
a power of two so coarse that every partial sum of the leading products fits in 53 bits: `high @ high` is then exact in
any BLAS, whatever its order of summation, and the rounding of the other products is 2^-26 times smaller. By
Cauchy-Schwarz the sum over any number of rows of |a_i r_i| is at most |a| |r|, so norms from R set the grids.
(Rump, Ogita, Oishi 2008, "Accurate floating-point summation"; the cut is Dekker's.)
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import solve_triangular

from linreg.errors import DataError, TrainingError
from linreg.triangle import BATCH_ROWS, EXTREME, triangle_of

Array = NDArray[np.float64]

HIGH_BITS = 26
INTERCEPT = "(intercept)"


@dataclass(frozen=True, kw_only=True)
class LeastSquares:
    """The solution of min |y - features @ weight - bias|.

    Attributes:
        weight: float64, shape (features,).
        bias: 0.0 where none was fitted.
        weight_errors: standard errors, shape (features,); None without a degree of freedom or with collinear columns.
        bias_error: standard error of the bias; None as above, or where no bias was fitted.
        residual_norm: |y - A x|.
        rank: of the matrix of features and intercept.
        collinear: names of columns that are linear combinations of others; empty at full rank.
    """

    weight: Array
    bias: float
    weight_errors: Array | None
    bias_error: float | None
    residual_norm: float
    rank: int
    collinear: tuple[str, ...]


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
        names: of the features, for messages.
        intercept: fit a bias.
        allow_collinear: give the solution of smallest norm (over weights and bias) where columns are collinear.

    Raises:
        DataError: fewer rows than parameters, or values or coefficients that float64 cannot hold.
        TrainingError: columns are collinear and that is not allowed.
    """
    rows, columns = features.shape[0], features.shape[1] + intercept
    if rows < columns:
        raise DataError(
            f"exact fit: got {rows} rows for {columns} parameters, expected at least {columns}; "
            "add rows, choose fewer --features, or use --method sgd"
        )
    labels = (*names, INTERCEPT) if intercept else names
    triangle = triangle_of(features, target, intercept)
    if not np.isfinite(triangle).all():
        raise DataError("exact fit: values are not finite, or a column's norm exceeds float64; rescale the columns")
    # Powers of two: the scaled triangle has columns of norm 1/2 to 1, without a rounding.
    exponents = _exponents(triangle)
    scaled = np.ldexp(triangle, -exponents)
    basis, scaled_target = scaled[:columns, :columns], scaled[:columns, columns]

    null = _null_space(basis)
    collinear = _involved(null, labels)
    if collinear and not allow_collinear:
        raise TrainingError(
            f"exact fit: these columns are linear combinations of each other: {', '.join(collinear)}; "
            "leave one out with --features, or take the minimum-norm solution with --allow-collinear"
        )
    pseudo_inverse = _pseudo_inverse(basis, null)
    solution = pseudo_inverse @ scaled_target if collinear else solve_triangular(basis, scaled_target)
    residual_bound = 2 * abs(float(scaled[columns, columns])) + 2.0**-44 * (1 + float(np.abs(solution).sum()))
    gradient, squares = _gradient(features, target, solution, exponents, residual_bound, intercept)
    step = pseudo_inverse @ (pseudo_inverse.T @ gradient)
    if not collinear:
        step = solve_triangular(basis, solve_triangular(basis, gradient, trans="T"))
    squares = max(squares - 2 * float(step @ gradient) + float(np.sum((basis @ step) ** 2)), 0.0)

    back = exponents[columns] - exponents[:columns]  # column k was divided by 2^exponents[k], the target by the last
    parameters = _in_range(solution + step, back)
    errors = None
    if collinear:
        parameters = _smallest(parameters, null, exponents[:columns, None])
    elif rows > columns:
        spread = np.sqrt(squares / (rows - columns))
        errors = _in_range(spread * np.linalg.norm(pseudo_inverse, axis=1), back)
    count = features.shape[1]
    return LeastSquares(
        weight=parameters[:count],
        bias=float(parameters[count]) if intercept else 0.0,
        weight_errors=None if errors is None else errors[:count],
        bias_error=float(errors[count]) if errors is not None and intercept else None,
        residual_norm=float(np.ldexp(np.sqrt(squares), exponents[columns])),
        rank=columns - null.shape[1],
        collinear=collinear,
    )


def _exponents(triangle: Array) -> NDArray[np.int_]:
    """Exponents of the columns' norms, of columns of peak 1/2 to 1, so that no square leaves float64."""
    peaks = np.frexp(np.abs(triangle).max(axis=0))[1].astype(np.int_)
    return np.asarray(peaks + np.frexp(np.linalg.norm(np.ldexp(triangle, -peaks), axis=0))[1], dtype=np.int_)


def _in_range(values: Array, exponents: NDArray[np.int_]) -> Array:
    """`values * 2^exponents`; what float64 cannot hold is refused, unless it is the rounding of a 0."""
    with np.errstate(over="ignore"):
        scaled = np.ldexp(values, exponents)
    lost = (np.abs(scaled) < 2.0**-1040) & (np.abs(values) > 2.0**-44)  # 34 bits are left there
    if lost.any() or not np.isfinite(scaled).all():
        raise DataError("exact fit: the coefficients leave the range of float64; rescale the columns")
    return scaled


def _null_space(basis: Array) -> Array:
    """Directions in which the columns, each at norm 1, vanish; shape (columns, defects). Cut at 16 K eps."""
    norms = np.linalg.norm(basis, axis=0)
    norms[norms == 0] = 1.0
    _, values, directions = np.linalg.svd(basis / norms)
    defects = values <= 16 * len(values) * np.finfo(np.float64).eps
    return np.asarray(directions[defects].T / norms[:, None])


def _involved(null: Array, labels: tuple[str, ...]) -> tuple[str, ...]:
    weights = np.abs(null).max(axis=1, initial=0.0)
    return tuple(label for label, weight in zip(labels, weights, strict=True) if weight > 1e-6 * weights.max())


def _pseudo_inverse(basis: Array, null: Array) -> Array:
    if not null.shape[1]:
        return np.asarray(np.linalg.inv(basis), dtype=np.float64)  # substitution too, and wakes no threads of BLAS
    kept = len(basis) - null.shape[1]
    left, values, right = np.linalg.svd(basis)
    return np.asarray((right[:kept].T / values[:kept]) @ left[:, :kept].T)


def _smallest(parameters: Array, null: Array, exponents: NDArray[np.int_]) -> Array:
    """The solution of smallest norm: what lies in the null space, brought to the units of the data, is taken off."""
    involved = np.abs(null) > 2.0**-40 * np.abs(null).max(axis=0)  # the roundings of 0 would grow in small columns
    places = np.where(involved, np.frexp(null)[1] - exponents, np.iinfo(np.int32).min)
    raw = np.ldexp(np.where(involved, null, 0.0), -exponents - places.max(axis=0))
    orthonormal, _ = np.linalg.qr(raw / np.linalg.norm(raw, axis=0))
    return np.asarray(parameters - orthonormal @ (orthonormal.T @ parameters))


def _cut(values: Array, exponent: int) -> Array:
    """The multiple of 2^exponent nearest to each value (exact while |value| < 2^(exponent + 51))."""
    grid = math.ldexp(1.5, exponent + 52)
    rounded: Array = values + grid
    rounded -= grid
    return rounded


def _gradient(
    features: Array,
    target: Array,
    solution: Array,
    exponents: NDArray[np.int_],
    residual_bound: float,
    intercept: bool,
) -> tuple[Array, float]:
    """A^T (y - A x) with some 70 bits, and |y - A x|^2, in the scaled units; A is scaled on the fly, exactly."""
    if np.abs(exponents).max() > EXTREME:  # a grid or a factor would leave float64: scaled copies, exact too
        count = features.shape[1]
        features, target = np.ldexp(features, -exponents[:count]), np.ldexp(target, -exponents[-1])
        exponents = np.concatenate([np.zeros(count, np.int_), exponents[count:-1], [0]])
    columns, target_exponent = len(solution), int(exponents[-1])
    scale = exponents[:columns]
    # A's columns have norm <= 1, so |a_ij| <= 1; the sum over K columns is at most K max|x|.
    total_exponent = int(np.frexp(columns * max(float(np.abs(solution).max()), 2.0**-1000))[1])
    high_solution = _cut(solution, total_exponent - (53 - HIGH_BITS))
    pair = np.stack([high_solution, solution - high_solution], axis=1)
    # The same factors in the units of the data: powers of two, so the products stay exact.
    pair_raw, solution_raw = np.ldexp(pair, -scale[:, None]), np.ldexp(solution, -scale)
    residual_exponent = int(np.frexp(residual_bound)[1]) - (53 - HIGH_BITS)

    # The column of ones needs no cut. Every product has two columns: BLAS would take threads to one vector.
    count, unit = features.shape[1], 2.0**-target_exponent
    low_pair = np.stack([np.zeros(count), solution_raw[:count]], axis=1)
    grid = np.tile(np.ldexp(1.5, scale[:count] - HIGH_BITS + 52), (min(BATCH_ROWS, len(target)), 1))
    high_buffer, low_buffer = np.empty_like(grid), np.empty_like(grid)
    exact, rest, squares = np.zeros(columns), np.zeros(columns), 0.0
    for start in range(0, len(target), BATCH_ROWS):
        batch, values = features[start : start + BATCH_ROWS], target[start : start + BATCH_ROWS] * unit
        high, low, cut = high_buffer[: len(values)], low_buffer[: len(values)], grid[: len(values)]
        np.subtract(np.add(batch, cut, out=high), cut, out=high)
        np.subtract(batch, high, out=low)
        products = high @ pair_raw[:count] + low @ low_pair
        if intercept:
            products += pair_raw[count]
        # TwoSum (Knuth): leading + lost == values - products[:, 0] exactly.
        leading = values - products[:, 0]
        back = leading - values
        lost = (values - (leading - back)) + (-products[:, 0] - back)
        tail = lost - products[:, 1]
        residual = leading + tail
        below = (leading - residual) + tail
        high_residual = _cut(residual, residual_exponent)
        pair_residual = np.stack([high_residual, (residual - high_residual) + below], axis=1)
        high_sums, low_sums = high.T @ pair_residual, low.T @ pair_residual
        exact[:count] += high_sums[:, 0]
        rest[:count] += high_sums[:, 1] + low_sums.sum(axis=1)
        if intercept:
            exact[count] += pair_residual[:, 0].sum()
            rest[count] += pair_residual[:, 1].sum()
        squares += float(residual @ residual)
    return np.ldexp(exact + rest, -scale), squares
