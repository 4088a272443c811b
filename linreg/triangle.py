"""The R factor of a QR factorisation of [features, 1, target] (TSQR, keeping only R).

With many rows and columns far from collinear, R is computed by a Cholesky factorisation of the products of the columns,
three times as fast. It then loses at most 12 of 53 bits, which the refinement in `linreg.least_squares` restores.
Otherwise it is accumulated over batches of rows in another pass.
"""

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import lapack

from linreg.problem import Problem, Unit
from linreg.reading.blocks import Block
from linreg.tree import reduced

Array = NDArray[np.float64]

BATCH_ROWS = 4096
EXTREME = 400
"""Exponent limit: squares of numbers above 2^400 or below 2^-400 may leave the range of float64."""


def triangle_of(problem: Problem, products: Array, rows: int) -> Array:
    """Compute R, shape (columns + 1, columns + 1).

    Args:
        problem: the rows.
        products: sum of the products of the columns, as `products_of` forms it.
        rows: the number of rows that are used.
    """
    quick = by_products(products) if rows > BATCH_ROWS else None
    return problem.passed(_triangle, combine=_combined, stage="factors") if quick is None else quick


def by_products(products: Array) -> Array | None:
    """Compute R by Cholesky; return None if that would lose more than 12 of 53 bits or leave the range of float64."""
    with np.errstate(all="ignore"):
        norms = np.sqrt(np.diag(products))
        cosines = products / norms / norms[:, None]
    if not (np.isfinite(cosines).all() and norms.min() > 2.0**-EXTREME and np.linalg.eigvalsh(cosines)[0] > 2.0**-12):
        return None
    return np.asarray(np.linalg.cholesky(products).T)


def products_of(problem: Problem, block: Block) -> Array:
    """Return the products of the columns [features, 1, target] in the used rows of a block."""
    size = problem.columns + 1
    products = np.zeros((size, size))
    with np.errstate(all="ignore"):
        for chunk in problem.chunks(block, serial_rows(262_144 // size**2, size)):
            products += chunk @ chunk.T
    return products


def _triangle(unit: Unit, problem: Problem) -> Array:
    return reduced((_block_triangle(problem, block) for block in problem.blocks(unit)), _combined)


def _block_triangle(problem: Problem, block: Block) -> Array:
    size = problem.columns + 1
    rows = min(serial_rows(8192 // size - size, size), len(block.values))
    stacked = np.zeros((size + rows, size), order="F")
    triangle = np.zeros((size, size))
    for chunk in problem.chunks(block, rows):
        used = size + chunk.shape[1]
        stacked[:size] = triangle
        stacked[size:used] = chunk.T
        factor: Array = lapack.dgeqrf(stacked[:used], overwrite_a=used == len(stacked))[0]
        triangle = np.triu(factor[:size])
    return triangle


def _combined(one: Array, other: Array) -> Array:
    """Return R of the rows of two triangles."""
    factor: Array = lapack.dgeqrf(np.asfortranarray(np.vstack([one, other])))[0]
    return np.triu(factor[: one.shape[1]])


def serial_rows(rows: int, size: int) -> int:
    """Return the batch size for a matrix of `size` columns.

    It is `rows` for a narrow matrix, since BLAS starts no threads for so few rows, and threads would be costly there.
    It is larger for a wide matrix.
    """
    return rows if rows >= 2 * size else max(BATCH_ROWS, size)
