"""The first pass over a table: what its values are, and the products of the columns in the training part."""

import hashlib
import json
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from linreg.problem import Problem, Unit
from linreg.reading.blocks import Block
from linreg.reading.stream import TableStream
from linreg.tree import reduced
from linreg.triangle import products_of

Array = NDArray[np.float64]

IDENTITY = "values-1"
"""What a card calls the rule of `Survey.identity`. A card without it has the SHA-256 of the file."""


@dataclass(frozen=True, kw_only=True)
class Survey:
    """What the first pass finds.

    Attributes:
        rows: rows of the table.
        part_rows: complete rows of each part; the first part is for training.
        products: the products of the columns [features, 1, target] in the training part, summed.
        low: least value of each feature and of the target in complete rows; infinity if there are none.
        high: largest value of each.
        train_low: least value of the target in the training part.
        train_high: its largest value.
        digests: SHA-256 of the values of each block, one after another; empty if they were not requested.
    """

    rows: int
    part_rows: tuple[int, ...]
    products: Array
    low: Array
    high: Array
    train_low: float
    train_high: float
    digests: bytes

    @property
    def complete(self) -> int:
        """The number of complete rows."""
        return sum(self.part_rows)

    def identity(self, names: tuple[str, ...]) -> str:
        """Return a SHA-256 that identifies names and values, whatever files they are in.

        Args:
            names: names of the features, then of the target.
        """
        return identity_of(names, self.digests)


def identity_of(names: tuple[str, ...], digests: bytes) -> str:
    """Return the SHA-256 of names, as a JSON list, and of the digests of the blocks."""
    return hashlib.sha256(json.dumps(list(names)).encode() + digests).hexdigest()


def digest_of(block: Block) -> bytes:
    """Return the SHA-256 of a block: its columns one after another, as little-endian float64, with one kind of NaN."""
    columns = block.values.T
    if block.complete is not None:
        columns = np.where(np.isnan(columns), np.nan, columns)
    return hashlib.sha256(np.ascontiguousarray(columns, "<f8").data).digest()


def survey_of(problem: Problem, *, digests: bool = True) -> Survey:
    """Make the first pass.

    Args:
        problem: the table.
        digests: whether to compute the digests.

    Raises:
        DataError: a column has no value.
    """
    survey = problem.passed(_survey, digests, combine=_combined, stage="products")
    if isinstance(problem.stream, TableStream):
        problem.stream.check_whole()  # units that end before the table do not
    return survey


def _survey(unit: Unit, problem: Problem, digests: bool) -> Survey:
    blocks = problem.blocks(unit)
    return reduced((_block_survey(problem, block, digests) for block in blocks), _combined)


def _block_survey(problem: Problem, block: Block, digests: bool) -> Survey:
    values = block.values
    complete, parts = block.complete, problem.split.part_of_row(block.start, len(values))
    whole = values if complete is None else values[complete]
    counted = parts if parts is None or complete is None else parts[complete]
    counts = [len(whole)] if counted is None else np.bincount(counted, minlength=len(problem.split.fractions)).tolist()
    target = whole[:, -1] if counted is None else whole[counted == 0, -1]
    return Survey(
        rows=len(values),
        part_rows=tuple(counts),
        products=products_of(problem, block),
        low=whole.min(axis=0, initial=np.inf),
        high=whole.max(axis=0, initial=-np.inf),
        train_low=float(target.min(initial=np.inf)),
        train_high=float(target.max(initial=-np.inf)),
        digests=digest_of(block) if digests else b"",
    )


def _combined(one: Survey, other: Survey) -> Survey:
    with np.errstate(all="ignore"):
        products = one.products + other.products
    return Survey(
        rows=one.rows + other.rows,
        part_rows=tuple(a + b for a, b in zip(one.part_rows, other.part_rows, strict=True)),
        products=products,
        low=np.minimum(one.low, other.low),
        high=np.maximum(one.high, other.high),
        train_low=min(one.train_low, other.train_low),
        train_high=max(one.train_high, other.train_high),
        digests=one.digests + other.digests,
    )
