"""The gradient of a least-squares problem, A^T (y - A x), in more than float64 precision.

Each operand is split in two, v = high + low, where `high` is a multiple of a power of two so coarse that every partial
sum of the leading products fits in 53 bits. `high @ high` is then exact in any BLAS, whatever its order of summation,
and the rounding errors of the other products are 2^-26 times smaller. By Cauchy-Schwarz, the sum of |a_i r_i| over any
number of rows is at most |a| |r|, so the norms from R determine the grids.
See Rump, Ogita and Oishi 2008, "Accurate floating-point summation"; the splitting is Dekker's.
"""

import math

import numpy as np
from numpy.typing import NDArray

from linreg.triangle import BATCH_ROWS, EXTREME

Array = NDArray[np.float64]

HIGH_BITS = 26


def cut(values: Array, exponent: int) -> Array:
    """Return the multiple of 2^exponent nearest to each value (exact while |value| < 2^(exponent + 51))."""
    grid = math.ldexp(1.5, exponent + 52)
    rounded: Array = values + grid
    rounded -= grid
    return rounded


def gradient(
    features: Array,
    target: Array,
    solution: Array,
    exponents: NDArray[np.int_],
    residual_bound: float,
    intercept: bool,
) -> tuple[Array, float]:
    """Return A^T (y - A x), computed with about 70 bits, and |y - A x|^2, both in scaled units.

    A is scaled on the fly by powers of two, so scaling rounds nothing.
    """
    if np.abs(exponents).max() > EXTREME:  # a grid or a factor would overflow: use scaled copies, which are exact too
        count = features.shape[1]
        features, target = np.ldexp(features, -exponents[:count]), np.ldexp(target, -exponents[-1])
        exponents = np.concatenate([np.zeros(count, np.int_), exponents[count:-1], [0]])
    columns, target_exponent = len(solution), int(exponents[-1])
    scale = exponents[:columns]
    # A's columns have norm <= 1, so |a_ij| <= 1; the sum over K columns is at most K max|x|.
    total_exponent = int(np.frexp(columns * max(float(np.abs(solution).max()), 2.0**-1000))[1])
    high_solution = cut(solution, total_exponent - (53 - HIGH_BITS))
    pair = np.stack([high_solution, solution - high_solution], axis=1)
    # The same factors in the units of the data; scaling by powers of two keeps the products exact.
    pair_raw, solution_raw = np.ldexp(pair, -scale[:, None]), np.ldexp(solution, -scale)
    residual_exponent = int(np.frexp(residual_bound)[1]) - (53 - HIGH_BITS)

    # The column of ones needs no splitting. Every product has two columns, since BLAS starts threads for a vector.
    count, unit = features.shape[1], 2.0**-target_exponent
    low_pair = np.stack([np.zeros(count), solution_raw[:count]], axis=1)
    grid = np.tile(np.ldexp(1.5, scale[:count] - HIGH_BITS + 52), (min(BATCH_ROWS, len(target)), 1))
    high_buffer, low_buffer = np.empty_like(grid), np.empty_like(grid)
    exact, rest, squares = np.zeros(columns), np.zeros(columns), 0.0
    for start in range(0, len(target), BATCH_ROWS):
        batch, values = features[start : start + BATCH_ROWS], target[start : start + BATCH_ROWS] * unit
        high, low, coarse = high_buffer[: len(values)], low_buffer[: len(values)], grid[: len(values)]
        np.subtract(np.add(batch, coarse, out=high), coarse, out=high)
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
        high_residual = cut(residual, residual_exponent)
        pair_residual = np.stack([high_residual, (residual - high_residual) + below], axis=1)
        high_sums, low_sums = high.T @ pair_residual, low.T @ pair_residual
        exact[:count] += high_sums[:, 0]
        rest[:count] += high_sums[:, 1] + low_sums.sum(axis=1)
        if intercept:
            exact[count] += pair_residual[:, 0].sum()
            rest[count] += pair_residual[:, 1].sum()
        squares += float(residual @ residual)
    return np.ldexp(exact + rest, -scale), squares
