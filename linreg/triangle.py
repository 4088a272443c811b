"""The R factor of a QR factorisation, accumulated over batches of rows (TSQR, keeping only R).

With many rows and columns far from collinear, R is computed by a Cholesky factorisation of the Gram matrix, three times
as fast. It then loses at most 12 of 53 bits, which the refinement in `linreg.least_squares` restores.
"""

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import lapack

Array = NDArray[np.float64]

BATCH_ROWS = 4096
EXTREME = 400
"""Exponent limit: squares of numbers above 2^400 or below 2^-400 may leave the range of float64."""


def triangle_of(features: Array, target: Array, intercept: bool) -> Array:
    """Compute R of [features, 1, target], shape (columns + 1, columns + 1).

    Args:
        features: float64, shape (rows, features).
        target: float64, shape (rows,).
        intercept: whether to include the column of ones.
    """
    if len(target) > BATCH_ROWS and (quick := _by_products(features, target, intercept)) is not None:
        return quick
    count, size = features.shape[1], features.shape[1] + intercept + 1
    rows = min(serial_rows(8192 // size - size, size), len(target))
    stacked = np.zeros((size + rows, size), order="F")
    triangle = np.zeros((size, size))
    for start in range(0, len(target), rows):
        values = target[start : start + rows]
        used = size + len(values)
        stacked[:size] = triangle
        stacked[size:used, :count] = features[start : start + rows]
        stacked[size:used, count:-1] = 1.0
        stacked[size:used, -1] = values
        factor: Array = lapack.dgeqrf(stacked[:used], overwrite_a=used == len(stacked))[0]
        triangle = np.triu(factor[:size])
    return triangle


def _by_products(features: Array, target: Array, intercept: bool) -> Array | None:
    """Compute R by Cholesky; return None if that would lose more than 12 of 53 bits or leave the range of float64."""
    count, size = features.shape[1], features.shape[1] + intercept + 1
    rows = serial_rows(262_144 // size**2, size)
    buffer, products = np.ones((rows, size)), np.zeros((size, size))
    with np.errstate(all="ignore"):
        for start in range(0, len(target), rows):
            part = buffer[: len(target) - start]
            part[:, :count] = features[start : start + rows]
            part[:, -1] = target[start : start + rows]
            products += part.T @ part
        norms = np.sqrt(np.diag(products))
        cosines = products / norms / norms[:, None]
    if not (np.isfinite(cosines).all() and norms.min() > 2.0**-EXTREME and np.linalg.eigvalsh(cosines)[0] > 2.0**-12):
        return None
    return np.asarray(np.linalg.cholesky(products).T)


def serial_rows(rows: int, size: int) -> int:
    """Return the batch size for a matrix of `size` columns.

    It is `rows` for a narrow matrix, since BLAS starts no threads for so few rows, and threads would be costly there.
    It is larger for a wide matrix.
    """
    return rows if rows >= 2 * size else max(BATCH_ROWS, size)
