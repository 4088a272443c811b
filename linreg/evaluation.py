"""Evaluate a model on a table of any size: in one pass, which also finds whether it is the training table."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import reduce
from pathlib import Path

import numpy as np

from linreg.affine import Affine
from linreg.block_split import BlockSplit
from linreg.card import Card
from linreg.data import Part
from linreg.errors import DataError
from linreg.metrics import Metrics
from linreg.parts import PredictedPart, line_parts, parts_of_old, predict_parts
from linreg.problem import PART_NAMES, Problem
from linreg.reading.arrow_columns import ArrowStream
from linreg.reading.opening import sha256_of
from linreg.reading.options import ReadOptions
from linreg.reading.stream import open_stream
from linreg.reading.tables import read_table
from linreg.sampling import Sample, sampled
from linreg.scoring import Scored, Scores, as_it_is, both
from linreg.split_text import parse_split
from linreg.survey import identity_of


@dataclass(frozen=True, kw_only=True)
class Evaluation:
    """What a model predicts for some rows.

    Attributes:
        parts: by name: train, validation and test for the training data, or rows for other data. Large parts hold rows
            that were drawn at random, and metrics of all of them.
        notes: what the user should know about the table, one line each.
    """

    parts: dict[str, PredictedPart]
    notes: tuple[str, ...] = ()

    @property
    def metrics(self) -> dict[str, Metrics]:
        """The metrics of each part."""
        return {name: part.metrics for name, part in self.parts.items()}


def evaluate(
    data: Path | str | ArrowStream,
    card: Card,
    affine: Affine,
    *,
    how: ReadOptions | None = None,
    workers: int = 1,
) -> Evaluation:
    """Evaluate a model on a table.

    The training table is split as in training. Any other table is one part, `rows`.

    Args:
        data: a table with the features and the target.
        card: card of the model.
        affine: the model.
        how: how the cells are written; None reads them as those of the training table.
        workers: threads of the pass.

    Raises:
        DataError: the table cannot be used, has no complete row, or has values that the model's dtype cannot hold.
    """
    how = how or card.read
    if "identity" not in card.data and (old := _old_training_parts(data, card, affine, how)) is not None:
        return old
    stream = open_stream(data, features=card.features, target=card.target, how=how)
    split = split_of(card) if "identity" in card.data else BlockSplit()
    problem = Problem(stream=stream, intercept=card.bias, split=split, workers=workers)
    found = sampled(problem, as_it_is(affine))
    names = (*card.features, card.target)
    if "identity" in card.data and identity_of(names, found[0].digests) == card.data["sha256"]:
        return Evaluation(parts=parts_drawn(problem, found), notes=stream.notes)
    return Evaluation(parts=_rows_drawn(problem, found), notes=stream.notes)


def evaluate_line(card: Card, affine: Affine) -> Evaluation:
    """Evaluate a model on the straight line that it was trained on."""
    return Evaluation(parts=_finite(predict_parts(affine, line_parts(card))))


def evaluate_rows(fitted_to: Problem | Mapping[str, Part], affine: Affine) -> Evaluation:
    """Evaluate a model on the rows that it was just fitted to."""
    if isinstance(fitted_to, Problem):
        return Evaluation(parts=parts_drawn(fitted_to, sampled(fitted_to, as_it_is(affine))))
    return Evaluation(parts=_finite(predict_parts(affine, fitted_to)))


def split_of(card: Card) -> BlockSplit:
    """Return how the rows of a training table were split."""
    seed = card.training["seed"] if card.data["shuffled"] else None
    return BlockSplit(fractions=parse_split(card.data["split"]), seed=seed, rows=card.data["table_rows"])


def parts_drawn(problem: Problem, found: tuple[Scored, Sample]) -> dict[str, PredictedPart]:
    """Return the parts of a training table."""
    scored, sample = found
    names = PART_NAMES[len(problem.split.fractions)]
    places = [sample.taken(np.flatnonzero(sample.part_of_row == place)) for place in range(len(names))]
    return {
        name: _drawn(problem, scores, rows)
        for name, scores, rows in zip(names, scored.parts, places, strict=True)
        if scores is not None
    }


def _rows_drawn(problem: Problem, found: tuple[Scored, Sample]) -> dict[str, PredictedPart]:
    return {"rows": _drawn(problem, reduce(both, found[0].parts), found[1])}


def _drawn(problem: Problem, scores: Scores | None, rows: Sample) -> PredictedPart:
    if scores is None:
        raise DataError(f"{problem.stream.origin}: has no complete row; expected at least 1")
    if not scores.finite:
        raise _beyond(problem.stream.origin)
    return PredictedPart(
        features=rows.feature[:, None], actual=rows.actual, predicted=rows.predicted, of_all=scores.rounded.metrics
    )


def _old_training_parts(
    data: Path | str | ArrowStream, card: Card, affine: Affine, how: ReadOptions
) -> Evaluation | None:
    """Evaluate a model on its training table; return None if this is another table."""
    digest = sha256_of(data)
    if digest != card.data["sha256"] and (digest is not None or isinstance(data, Path | str)):
        return None
    table = read_table(data, features=card.features, target=card.target, how=how)
    if table.sha256 != card.data["sha256"]:
        return None
    return Evaluation(parts=_finite(predict_parts(affine, parts_of_old(table, card))), notes=table.notes)


def _finite(parts: dict[str, PredictedPart]) -> dict[str, PredictedPart]:
    if not all(np.isfinite(part.predicted).all() for part in parts.values()):
        raise _beyond("model")
    return parts


def _beyond(origin: str) -> DataError:
    return DataError(
        f"{origin}: the rows have values that exceed what the model's dtype holds; "
        "leave them out, or train with --dtype float64"
    )
