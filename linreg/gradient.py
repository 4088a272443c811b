"""The gradient of a least-squares problem, A^T (y - A x), in more than float64 precision.

Each operand is split in two, v = high + low, where `high` is a multiple of a power of two so coarse that every partial
sum of the leading products fits in 53 bits. `high @ high` is then exact in any BLAS, whatever its order of summation,
and the rounding errors of the other products are 2^-26 times smaller. By Cauchy-Schwarz, the sum of |a_i r_i| over any
number of rows is at most |a| |r|, so the norms from R determine the grids.
See Rump, Ogita and Oishi 2008, "Accurate floating-point summation"; the splitting is Dekker's.
"""

import math
from dataclasses import dataclass
from operator import add

import numpy as np
from numpy.typing import NDArray

from linreg.problem import Problem, Unit
from linreg.reading.blocks import Block
from linreg.tree import reduced
from linreg.triangle import BATCH_ROWS, EXTREME

Array = NDArray[np.float64]

HIGH_BITS = 26


def cut(values: Array, exponent: int) -> Array:
    """Return the multiple of 2^exponent nearest to each value (exact while |value| < 2^(exponent + 51))."""
    grid = math.ldexp(1.5, exponent + 52)
    rounded: Array = values + grid
    rounded -= grid
    return rounded


@dataclass(frozen=True, kw_only=True)
class Sums:
    """What a pass adds up.

    Attributes:
        exact: sum of the leading products of A^T r; no addition rounds.
        rest: sum of the other products.
        squares: |r|^2.
    """

    exact: Array
    rest: Array
    squares: float

    def __add__(self, other: "Sums") -> "Sums":
        return Sums(exact=self.exact + other.exact, rest=self.rest + other.rest, squares=self.squares + other.squares)


def gradient(
    problem: Problem, solution: Array, exponents: NDArray[np.int_], residual_bound: float
) -> tuple[Array, float]:
    """Return A^T (y - A x), computed with about 70 bits, and |y - A x|^2, both in scaled units.

    A is scaled on the fly by powers of two, so scaling rounds nothing.

    Args:
        problem: gives the rows of A and y.
        solution: the scaled x, shape (columns,).
        exponents: column k of A is divided by 2^exponents[k], and y by the last.
        residual_bound: a bound of |y - A x|.
    """
    sums = problem.passed(_sums, solution, exponents, residual_bound, combine=add, stage="refinement")
    scaled_already = np.abs(exponents).max() > EXTREME
    scale = np.zeros(len(solution), np.int_) if scaled_already else exponents[:-1]
    return np.ldexp(sums.exact + sums.rest, -scale), sums.squares


def _sums(unit: Unit, problem: Problem, solution: Array, exponents: NDArray[np.int_], residual_bound: float) -> Sums:
    blocks = problem.blocks(unit)
    return reduced((_block_sums(problem, block, solution, exponents, residual_bound) for block in blocks), add)


def _block_sums(
    problem: Problem, block: Block, solution: Array, exponents: NDArray[np.int_], residual_bound: float
) -> Sums:
    chunks = problem.chunks(block, BATCH_ROWS)
    if np.abs(exponents).max() > EXTREME:  # a grid or a factor would overflow: use scaled copies, which are exact too
        scaling = -exponents[:, None]
        chunks = (np.ldexp(chunk, scaling) for chunk in chunks)
        exponents = np.zeros_like(exponents)
    columns, count, unit = len(solution), problem.features, 2.0 ** -int(exponents[-1])
    scale = exponents[:columns]
    # A's columns have norm <= 1, so |a_ij| <= 1; the sum over K columns is at most K max|x|.
    total_exponent = int(np.frexp(columns * max(float(np.abs(solution).max()), 2.0**-1000))[1])
    high_solution = cut(solution, total_exponent - (53 - HIGH_BITS))
    # The factors in the units of the data; scaling by powers of two keeps the products exact.
    pair = np.ldexp(np.stack([high_solution, solution - high_solution]), -scale)
    residual_exponent = int(np.frexp(residual_bound)[1]) - (53 - HIGH_BITS)

    # The column of ones needs no splitting. Every product has two columns, since BLAS starts threads for a vector.
    low_pair = np.stack([np.zeros(count), np.ldexp(solution, -scale)[:count]])
    grid = np.ldexp(1.5, scale[:count] - HIGH_BITS + 52)[:, None]
    rows = min(BATCH_ROWS, len(block.values))
    high_buffer, low_buffer = np.empty((count, rows)), np.empty((count, rows))
    exact, rest, squares = np.zeros(columns), np.zeros(columns), 0.0
    for chunk in chunks:
        features, values = chunk[:count], chunk[-1] * unit
        high, low = high_buffer[:, : len(values)], low_buffer[:, : len(values)]
        np.subtract(np.add(features, grid, out=high), grid, out=high)
        np.subtract(features, high, out=low)
        products = pair[:, :count] @ high + low_pair @ low
        if problem.intercept:
            products += pair[:, count:] * chunk[count]
        # TwoSum (Knuth): leading + lost == values - products[0] exactly.
        leading = values - products[0]
        back = leading - values
        lost = (values - (leading - back)) + (-products[0] - back)
        tail = lost - products[1]
        residual = leading + tail
        below = (leading - residual) + tail
        high_residual = cut(residual, residual_exponent)
        pair_residual = np.stack([high_residual, (residual - high_residual) + below])
        high_sums, low_sums = high @ pair_residual.T, low @ pair_residual.T
        exact[:count] += high_sums[:, 0]
        rest[:count] += high_sums[:, 1] + low_sums.sum(axis=1)
        if problem.intercept:
            weighted = pair_residual * chunk[count]
            exact[count] += weighted[0].sum()
            rest[count] += weighted[1].sum()
        squares += float(residual @ residual)
    return Sums(exact=exact, rest=rest, squares=squares)
