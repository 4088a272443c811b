"""Draw rows of a table for a plot, in the same pass that scores a model."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from linreg.problem import Problem, Unit
from linreg.reading.blocks import BLOCK_ROWS
from linreg.scoring import Predicted, Rounded, Scored, combined, predicted, scores_of
from linreg.tree import reduced

Array = NDArray[np.float64]

MOST_DRAWN = 100_000
"""Rows that a plot shows at most."""
SEED = 42


@dataclass(frozen=True, kw_only=True)
class Sample:
    """Rows drawn at random: those with the least lots. The lot of a row depends on its place in the table alone.

    Attributes:
        lots: shape (rows,), between 0 and 1.
        part_of_row: number of the part of each row.
        feature: the first feature.
        actual: the target.
        predicted: the prediction, in the model's dtype.
    """

    lots: Array
    part_of_row: NDArray[np.uint8]
    feature: Array
    actual: Array
    predicted: NDArray[np.floating]

    def taken(self, places: NDArray[np.int_]) -> "Sample":
        """Return some of the rows."""
        return Sample(
            lots=self.lots[places],
            part_of_row=self.part_of_row[places],
            feature=self.feature[places],
            actual=self.actual[places],
            predicted=self.predicted[places],
        )

    def cut(self) -> "Sample":
        """Return at most `MOST_DRAWN` rows, in their order."""
        if len(self.lots) <= MOST_DRAWN:
            return self
        return self.taken(np.sort(np.argpartition(self.lots, MOST_DRAWN)[:MOST_DRAWN]))


def sampled(problem: Problem, model: Rounded) -> tuple[Scored, Sample]:
    """Score a model, with digests, and draw rows to plot.

    Args:
        problem: the table and its split.
        model: the model.
    """
    return problem.passed(_sampled, model, combine=_combined, stage="metrics")


def _sampled(unit: Unit, problem: Problem, model: Rounded) -> tuple[Scored, Sample]:
    blocks = problem.blocks(unit)
    rows = (predicted(problem, block, model) for block in blocks)
    return reduced(((scores_of(problem, one, digests=True), _sample_of(one)) for one in rows), _combined)


def _sample_of(rows: Predicted) -> Sample:
    lots = np.random.Generator(np.random.Philox(key=[SEED, 2**63 + rows.block.start // BLOCK_ROWS]))
    drawn = lots.random(len(rows.block.values))
    parts = rows.part_of_row
    return Sample(
        lots=drawn if rows.places is None else drawn[rows.places],
        part_of_row=np.zeros(len(rows.values), np.uint8) if parts is None else parts,
        feature=rows.values[:, 0].copy(),
        actual=rows.values[:, -1].copy(),
        predicted=rows.rounded,
    ).cut()


def _combined(one: tuple[Scored, Sample], other: tuple[Scored, Sample]) -> tuple[Scored, Sample]:
    first, second = one[1], other[1]
    together = Sample(
        lots=np.concatenate([first.lots, second.lots]),
        part_of_row=np.concatenate([first.part_of_row, second.part_of_row]),
        feature=np.concatenate([first.feature, second.feature]),
        actual=np.concatenate([first.actual, second.actual]),
        predicted=np.concatenate([first.predicted, second.predicted]),
    )
    return combined(one[0], other[0]), together.cut()
