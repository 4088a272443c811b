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

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from operator import add

import numpy as np
from numpy.typing import NDArray

from linreg.gradient import HIGH_BITS, cut
from linreg.problem import Problem, Unit
from linreg.reading.blocks import Block
from linreg.tree import reduced
from linreg.triangle import serial_rows

Array = NDArray[np.float64]

EPSILON = float(np.finfo(np.float64).eps)
SMALL_PARTS = 2.0 ** -np.arange(6.0, 50.0, 7.0)


MOST_NAMED = 20
"""Columns that a message names."""


@dataclass(frozen=True, kw_only=True)
class Matrix:
    """The scaled matrix A, or some of its columns, which is only ever formed in batches.

    Attributes:
        problem: gives the rows.
        rows: the number of rows that are used.
        places: indices of the columns [features, 1] that are A's columns, in order.
        exponents: column k of A is divided by 2^exponents[k], which gives it a norm below 1.
    """

    problem: Problem
    rows: int
    places: NDArray[np.int_]
    exponents: NDArray[np.int_]

    def chosen(self, columns: NDArray[np.int_]) -> "Matrix":
        """Return the matrix of some of the columns."""
        return replace(self, places=self.places[columns], exponents=self.exponents[columns])


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
        fewer = _directions(basis[:, chosen], matrix.chosen(chosen), len(basis) * EPSILON)
        if fewer is not None and fewer.null.shape == (len(chosen), found.null.shape[1]):
            null = np.zeros_like(found.null)
            null[chosen] = fewer.null
            return Directions(kept=found.kept, near=found.near, null=null)
    return found


def _directions(basis: Array, matrix: Matrix, tolerance: float) -> Directions | None:
    columns = basis.shape[1]
    norms = _norms(basis)
    _, values, right = np.linalg.svd(basis / norms, full_matrices=False)
    candidates = values <= (16 + matrix.rows) * columns * EPSILON
    if not candidates.any():
        return None
    kept = right[~candidates].T / values[~candidates] / norms[:, None]
    near = right[candidates].T / norms[:, None]

    near -= kept @ (kept.T @ _passed(matrix, near, _products, add))
    _, lengths, turned = np.linalg.svd(_passed(matrix, near, _triangle, _triangle_of_both))
    near = near @ turned.T

    squares, sizes = _passed(matrix, near, _lengths, add)
    # At least |v| for columns of norm 1; only columns of zeros have less.
    sizes = np.maximum(np.sqrt(sizes), np.linalg.norm(near * norms[:, None], axis=0))
    vanish = np.sqrt(squares) <= tolerance * sizes
    return Directions(kept=kept, near=near[:, ~vanish] / lengths[~vanish], null=near[:, vanish])


def _norms(basis: Array) -> Array:
    norms: Array = np.linalg.norm(basis, axis=0)
    norms[norms == 0] = 1.0
    return norms


Combine = Callable[[Array, Array], Array]
OfBlock = Callable[[Array, Iterator[tuple[Array, Array]]], Array]


def _passed(matrix: Matrix, directions: Array, of_block: OfBlock, combine: Combine) -> Array:
    """Make a pass in which `of_block` turns the batches of each block into one array."""
    return matrix.problem.passed(_pass, matrix, directions, of_block, combine, combine=combine, stage="collinearity")


def _pass(
    unit: Unit, problem: Problem, matrix: Matrix, directions: Array, of_block: OfBlock, combine: Combine
) -> Array:
    blocks = problem.blocks(unit)
    return reduced((of_block(directions, _images(matrix, block, directions)) for block in blocks), combine)


def _products(directions: Array, images: Iterator[tuple[Array, Array]]) -> Array:
    """Return A^T A V."""
    products = np.zeros_like(directions)
    for batch, image in images:
        products += batch @ image.T
    return products


def _triangle(directions: Array, images: Iterator[tuple[Array, Array]]) -> Array:
    """Return R of A V."""
    triangle = np.zeros((directions.shape[1],) * 2)
    for _, image in images:
        triangle = _triangle_of_both(triangle, image.T)
    return triangle


def _triangle_of_both(one: Array, other: Array) -> Array:
    return np.asarray(np.linalg.qr(np.vstack([one, other]), mode="r"))


def _lengths(directions: Array, images: Iterator[tuple[Array, Array]]) -> Array:
    """Return |A v|^2 and | |A| |v| |^2 of each direction, shape (2, directions)."""
    lengths = np.zeros((2, directions.shape[1]))
    for batch, image in images:
        lengths[0] += np.sum(image**2, axis=1)
        lengths[1] += np.sum((np.abs(directions.T) @ np.abs(batch)) ** 2, axis=1)
    return lengths


def _images(matrix: Matrix, block: Block, directions: Array) -> Iterator[tuple[Array, Array]]:
    """Yield batches of A and of A V, transposed, computed with about 75 bits.

    The leading products are exact, so nothing is lost when they cancel.
    """
    columns, several = directions.shape
    total_exponent = int(np.frexp(columns * float(np.abs(directions).max()))[1])
    leading = cut(directions, total_exponent - (53 - HIGH_BITS)).T
    rest = directions.T - leading
    step = serial_rows(min(262_144 // (columns * several), 8192 // several - several), columns)
    for chunk in matrix.problem.chunks(block, step):
        batch = np.ldexp(chunk[matrix.places], -matrix.exponents[:, None])
        high = cut(batch, -HIGH_BITS)
        yield batch, leading @ high + (rest @ high + directions.T @ (batch - high))


def in_words(labels: Sequence[str]) -> str:
    """Name the first columns of a message, and count the others."""
    more = f" and {len(labels) - MOST_NAMED:,} more" if len(labels) > MOST_NAMED else ""
    return ", ".join(labels[:MOST_NAMED]) + more
