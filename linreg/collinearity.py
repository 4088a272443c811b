"""Find columns that are linear combinations of each other; the data themselves decide, not R alone.

R alone is not enough. Its rounding errors grow with the number of rows, up to rows K eps for K columns, and so do the
singular values of R that should be 0. So R gives only candidates: the directions v with a small singular value. The
data then decide:

1. Compute A v in more than float64 precision, and move v along the other directions to where |A v| is smallest. This
   removes what the rounding errors of R have put into v.
2. Rotate the candidates to the singular directions of A V, so that a direction in which the columns vanish is not mixed
   with one in which they nearly vanish.
3. Compute A v again and compare it with the rounding errors of the data. The columns are collinear if
   |A v| <= K eps | |A| |v| |, with norms over all rows.
4. A column with a small component in v does not count as collinear if the other columns are collinear without it, by
   the same steps. In ill-conditioned columns, rounding errors alone can give a column such a component.

Why K eps: each entry is known only to half a unit in its last place, which moves A v by eps/2 |A||v|; the coefficients
v are rounded by as much; and a column computed from others (a sum, or 1.8 x + 32) has one more rounding error for each
of them.

Why norms over all rows, and not a test of each row: v is fitted to all rows, so large rows determine it and small rows
hardly count. Next to a temperature of 1e12, the last digits of 32 are lost, so a test of each row would call such
columns regular, and their coefficients would be noise. Norms err the other way: they refuse columns that differ only in
rows of 1e-16 of the largest, where R is useless anyway. Columns that are nearly collinear are accepted: those of Filip,
a NIST test problem (1.9e-10 of their norm), are far from K eps for any number of rows.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from linreg.gradient import HIGH_BITS, cut
from linreg.triangle import serial_rows

Array = NDArray[np.float64]

EPSILON = float(np.finfo(np.float64).eps)
SMALL_PARTS = 2.0 ** -np.arange(6.0, 50.0, 7.0)


@dataclass(frozen=True, kw_only=True)
class Matrix:
    """The scaled matrix A, which is only ever formed in batches.

    Attributes:
        features: unscaled features, float64, shape (rows, features).
        places: indices of the features that are A's columns, in order.
        intercept: whether a column of ones follows.
        exponents: column k of A is divided by 2^exponents[k], which gives it a norm below 1.
    """

    features: Array
    places: NDArray[np.int_]
    intercept: bool
    exponents: NDArray[np.int_]


@dataclass(frozen=True, kw_only=True)
class Directions:
    """The parameter space, split into three parts, in units of the scaled columns.

    Attributes:
        kept: all directions but the candidates, shape (columns, columns - candidates); kept kept^T is the inverse of
            A^T A on these directions, as accurately as R determines it.
        near: candidates in which the columns do not vanish, each divided by |A v|, shape (columns, count).
        null: candidates in which the columns vanish, shape (columns, rank deficiency).
    """

    kept: Array
    near: Array
    null: Array


def directions_of(basis: Array, matrix: Matrix) -> Directions | None:
    """Find the null directions of A, the combinations of columns that are zero; return None if R alone rules them out.

    Args:
        basis: R of A, shape (columns, columns).
        matrix: A.
    """
    found = _directions(basis, matrix, len(basis) * EPSILON)
    if found is None or not found.null.shape[1]:
        return found
    parts = np.abs(found.null * _norms(basis)[:, None]).max(axis=1)
    tried = len(parts)
    for small in SMALL_PARTS:
        chosen = np.flatnonzero(parts > small * parts.max())
        if len(chosen) == tried:
            continue
        tried = len(chosen)
        fewer = _directions(basis[:, chosen], _columns(matrix, chosen), len(basis) * EPSILON)
        if fewer is not None and fewer.null.shape == (len(chosen), found.null.shape[1]):
            null = np.zeros_like(found.null)
            null[chosen] = fewer.null
            return Directions(kept=found.kept, near=found.near, null=null)
    return found


def _directions(basis: Array, matrix: Matrix, tolerance: float) -> Directions | None:
    columns = basis.shape[1]
    norms = _norms(basis)
    _, values, right = np.linalg.svd(basis / norms, full_matrices=False)
    candidates = values <= (16 + len(matrix.features)) * columns * EPSILON
    if not candidates.any():
        return None
    kept = right[~candidates].T / values[~candidates] / norms[:, None]
    near = right[candidates].T / norms[:, None]

    products = np.zeros_like(near)
    for batch, image in _images(matrix, near):
        products += batch.T @ image
    near -= kept @ (kept.T @ products)
    triangle = np.zeros((near.shape[1], near.shape[1]))
    for _, image in _images(matrix, near):
        triangle = np.asarray(np.linalg.qr(np.vstack([triangle, image]), mode="r"))
    _, lengths, turned = np.linalg.svd(triangle)
    near = near @ turned.T

    squares, sizes = np.zeros(near.shape[1]), np.zeros(near.shape[1])
    for batch, image in _images(matrix, near):
        squares += np.sum(image**2, axis=0)
        sizes += np.sum((np.abs(batch) @ np.abs(near)) ** 2, axis=0)
    # At least |v| for columns of norm 1; only columns of zeros have less.
    sizes = np.maximum(np.sqrt(sizes), np.linalg.norm(near * norms[:, None], axis=0))
    vanish = np.sqrt(squares) <= tolerance * sizes
    return Directions(kept=kept, near=near[:, ~vanish] / lengths[~vanish], null=near[:, vanish])


def _norms(basis: Array) -> Array:
    norms: Array = np.linalg.norm(basis, axis=0)
    norms[norms == 0] = 1.0
    return norms


def _columns(matrix: Matrix, chosen: NDArray[np.int_]) -> Matrix:
    """Select columns of the matrix."""
    count = len(matrix.places)
    return Matrix(
        features=matrix.features,
        places=matrix.places[chosen[chosen < count]],
        intercept=matrix.intercept and bool((chosen == count).any()),
        exponents=matrix.exponents[chosen],
    )


def _images(matrix: Matrix, directions: Array) -> Iterator[tuple[Array, Array]]:
    """Yield batches of A and of A V, computed with about 75 bits.

    The leading products are exact, so nothing is lost when they cancel.
    """
    columns, count = len(directions), len(matrix.places)
    total_exponent = int(np.frexp(columns * float(np.abs(directions).max()))[1])
    leading = cut(directions, total_exponent - (53 - HIGH_BITS))
    rest = directions - leading
    several = directions.shape[1]
    step = serial_rows(min(262_144 // (columns * several), 8192 // several - several), columns)
    for start in range(0, len(matrix.features), step):
        rows = matrix.features[start : start + step, matrix.places]
        batch = np.empty((len(rows), columns))
        batch[:, :count] = np.ldexp(rows, -matrix.exponents[:count])
        if matrix.intercept:
            batch[:, count] = np.ldexp(1.0, -matrix.exponents[count])
        high = cut(batch, -HIGH_BITS)
        yield batch, high @ leading + (high @ rest + (batch - high) @ directions)
