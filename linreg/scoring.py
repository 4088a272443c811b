"""The last pass of a fit: how good the rounded model is, by part."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from linreg.affine import Affine, predict
from linreg.config import Precision
from linreg.metrics import Errors, errors_of
from linreg.problem import Problem, Unit
from linreg.reading.blocks import Block
from linreg.survey import digest_of
from linreg.tree import reduced

Array = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class Scores:
    """What the pass finds in some rows.

    Attributes:
        rounded: errors of the model in its dtype.
        exact: errors of the model in float64.
        effect: the most that rounding moves a prediction.
        finite: whether the dtype holds every prediction.
    """

    rounded: Errors
    exact: Errors
    effect: float
    finite: bool

    def __add__(self, other: "Scores") -> "Scores":
        return Scores(
            rounded=self.rounded + other.rounded,
            exact=self.exact + other.exact,
            effect=max(self.effect, other.effect),
            finite=self.finite and other.finite,
        )


@dataclass(frozen=True, kw_only=True)
class Scored:
    """The scores of a table.

    Attributes:
        rows: rows of the table.
        parts: scores of each part, in the order of the split; None for a part without complete rows.
        digests: as in `linreg.survey.Survey`.
    """

    rows: int
    parts: tuple[Scores | None, ...]
    digests: bytes


@dataclass(frozen=True, kw_only=True)
class Rounded:
    """A model in its dtype, and its numbers before rounding.

    Attributes:
        affine: the model.
        weight: weight before rounding, shape (features,).
        bias: bias before rounding.
    """

    affine: Affine
    weight: Array
    bias: float

    @property
    def dtype(self) -> Precision:
        """The dtype of the model."""
        return Precision(self.affine.weight.dtype.name)

    def predict(self, features: Array) -> tuple[NDArray[np.floating], Array]:
        """Return the predictions of the rounded model and of the exact one, each of shape (rows,).

        Args:
            features: shape (rows, features), columns contiguous.
        """
        exact = Affine(weight=self.weight[None], bias=np.array([self.bias]))
        return predict(self.affine, features), predict(exact, features).astype(np.float64)


def as_it_is(affine: Affine) -> Rounded:
    """Return a model whose numbers are those in its dtype."""
    bias = 0.0 if affine.bias is None else float(affine.bias[0])
    return Rounded(affine=affine, weight=affine.weight[0].astype(np.float64), bias=bias)


def scored(problem: Problem, model: Rounded, *, digests: bool = False) -> Scored:
    """Make the pass.

    Args:
        problem: the table and its split.
        model: the model.
        digests: whether to compute the digests.
    """
    return problem.passed(_scored, model, digests, combine=combined, stage="metrics")


def _scored(unit: Unit, problem: Problem, model: Rounded, digests: bool) -> Scored:
    blocks = problem.blocks(unit)
    return reduced((scores_of(problem, predicted(problem, block, model), digests) for block in blocks), combined)


@dataclass(frozen=True, kw_only=True)
class Predicted:
    """The complete rows of a block, and what a model predicts for them.

    Attributes:
        block: the block.
        places: places of the complete rows in the block; None if every row is complete.
        part_of_row: number of the part of each complete row; None if there is one part.
        values: features and target of the complete rows, columns contiguous.
        rounded: predictions of the rounded model.
        exact: predictions of the exact model.
    """

    block: Block
    places: NDArray[np.int_] | None
    part_of_row: NDArray[np.uint8] | None
    values: Array
    rounded: NDArray[np.floating]
    exact: Array


def predicted(problem: Problem, block: Block, model: Rounded) -> Predicted:
    """Predict the complete rows of a block."""
    complete, part_of_row = block.complete, problem.split.part_of_row(block.start, len(block.values))
    places = None if complete is None else np.flatnonzero(complete)
    values = block.values if places is None else block.values.T[:, places].T
    if part_of_row is not None and places is not None:
        part_of_row = part_of_row[places]
    rounded, exact = model.predict(values[:, :-1])
    return Predicted(block=block, places=places, part_of_row=part_of_row, values=values, rounded=rounded, exact=exact)


def scores_of(problem: Problem, rows: Predicted, digests: bool) -> Scored:
    """Return the scores of a block."""
    parts = []
    for place in range(len(problem.split.fractions)):
        here = slice(None) if rows.part_of_row is None else rows.part_of_row == place
        parts.append(_scores(rows.values[here, -1], rows.rounded[here], rows.exact[here]))
    digest = digest_of(rows.block) if digests else b""
    return Scored(rows=len(rows.block.values), parts=tuple(parts), digests=digest)


def scores_of_rows(model: Rounded, features: Array, target: Array) -> Scores:
    """Return the scores of rows in memory.

    Args:
        model: the model.
        features: shape (rows, features).
        target: shape (rows,), at least one row.
    """
    scores = _scores(target, *model.predict(features))
    assert scores is not None
    return scores


def _scores(target: Array, rounded: NDArray[np.floating], exact: Array) -> Scores | None:
    if not len(target):
        return None
    finite = bool(np.isfinite(rounded).all() and np.isfinite(exact).all())
    if not finite:
        rounded, exact = np.zeros_like(rounded), np.zeros_like(exact)
    return Scores(
        rounded=errors_of(target, rounded),
        exact=errors_of(target, exact),
        effect=float(np.abs(rounded - exact).max()),
        finite=finite,
    )


def combined(one: Scored, other: Scored) -> Scored:
    """Return the scores of the rows of both."""
    return Scored(
        rows=one.rows + other.rows,
        parts=tuple(both(a, b) for a, b in zip(one.parts, other.parts, strict=True)),
        digests=one.digests + other.digests,
    )


def both(one: Scores | None, other: Scores | None) -> Scores | None:
    """Return the scores of the rows of both."""
    if one is None or other is None:
        return one or other
    return one + other
