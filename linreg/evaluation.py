"""Evaluate a model on a table of any size: in one pass, which also finds whether it is the training table."""

from collections.abc import Callable, Mapping
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
from linreg.problem import PART_NAMES, Problem, Progress
from linreg.reading.arrow_columns import ArrowStream
from linreg.reading.opening import sha256_of
from linreg.reading.options import ReadOptions
from linreg.reading.stream import TableStream, open_stream
from linreg.reading.tables import read_table
from linreg.sampling import Sample, sampled
from linreg.scoring import Scored, Scores, as_it_is, both, scored
from linreg.split_text import parse_split
from linreg.survey import identity_of

Data = Path | str | ArrowStream

ROWS = "rows"
"""The name of the only part of a table that a model was not trained on."""


@dataclass(frozen=True, kw_only=True)
class Evaluation:
    """How good a model is on some rows.

    Attributes:
        metrics: by part: train, validation and test for the training data, or rows for other data.
        notes: what the user should know about the table, one line each.
    """

    metrics: dict[str, Metrics]
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Drawn:
    """Rows to plot, and what a model predicts for them.

    Attributes:
        parts: by name, as in `Evaluation`. Large parts hold rows that were drawn at random, and metrics of all of them.
        notes: what the user should know about the table, one line each.
    """

    parts: dict[str, PredictedPart]
    notes: tuple[str, ...] = ()


def evaluate(
    data: Data,
    card: Card,
    affine: Affine,
    *,
    how: ReadOptions | None = None,
    workers: int = 1,
    progress: Progress | None = None,
    on_open: Callable[[TableStream], None] = lambda _table: None,
) -> Evaluation:
    """Evaluate a model on a table.

    The training table is split as in training. Any other table is one part, `rows`.

    Args:
        data: a table with the features and the target.
        card: card of the model.
        affine: the model.
        how: how the cells are written; None reads them as those of the training table.
        workers: threads of the pass.
        progress: as in `linreg.problem.Problem`.
        on_open: called with the table before it is read.

    Raises:
        DataError: the table cannot be used, has no complete row, or has values that the model's dtype cannot hold.
    """
    how = how or card.read
    if (old := _old_training_parts(data, card, affine, how)) is not None:
        return Evaluation(metrics=metrics_of(old.parts), notes=old.notes)
    stream, problem = _opened(data, card, how, workers, progress)
    on_open(stream)
    scores = _by_part(problem, scored(problem, as_it_is(affine), digests=True), card)
    return Evaluation(metrics={name: one.rounded.metrics for name, one in scores.items()}, notes=stream.notes)


def draw(
    data: Data,
    card: Card,
    affine: Affine,
    *,
    how: ReadOptions | None = None,
    workers: int = 1,
    progress: Progress | None = None,
    on_open: Callable[[TableStream], None] = lambda _table: None,
) -> Drawn:
    """Draw rows of a table to plot a model with; arguments and errors are those of `evaluate`."""
    how = how or card.read
    if (old := _old_training_parts(data, card, affine, how)) is not None:
        return old
    stream, problem = _opened(data, card, how, workers, progress)
    on_open(stream)
    found, sample = sampled(problem, as_it_is(affine))
    return Drawn(parts=_parts_drawn(problem, _by_part(problem, found, card), sample), notes=stream.notes)


def draw_rows(fitted_to: Problem | Mapping[str, Part], affine: Affine) -> dict[str, PredictedPart]:
    """Draw rows of those that a model was just fitted to."""
    if not isinstance(fitted_to, Problem):
        return _finite(predict_parts(affine, fitted_to))
    found, sample = sampled(fitted_to, as_it_is(affine))
    return _parts_drawn(fitted_to, _named(fitted_to, found), sample)


def draw_line(card: Card, affine: Affine) -> dict[str, PredictedPart]:
    """Return the points of the straight line that a model was trained on."""
    return _finite(predict_parts(affine, line_parts(card)))


def metrics_of(parts: Mapping[str, PredictedPart]) -> dict[str, Metrics]:
    """Return the metrics of each part."""
    return {name: part.metrics for name, part in parts.items()}


def split_of(card: Card) -> BlockSplit:
    """Return how the rows of a training table were split."""
    seed = card.training["seed"] if card.data["shuffled"] else None
    return BlockSplit(fractions=parse_split(card.data["split"]), seed=seed, rows=card.data["table_rows"])


def _opened(
    data: Data, card: Card, how: ReadOptions, workers: int, progress: Progress | None
) -> tuple[TableStream, Problem]:
    stream = open_stream(data, features=card.features, target=card.target, how=how)
    split = split_of(card) if "identity" in card.data else BlockSplit()
    return stream, Problem(stream=stream, intercept=card.bias, split=split, workers=workers, progress=progress)


def _by_part(problem: Problem, found: Scored, card: Card) -> dict[str, Scores]:
    """Return the scores of each part of the training table, or of all rows of another table."""
    names = (*card.features, card.target)
    if "identity" in card.data and identity_of(names, found.digests) == card.data["sha256"]:
        return _named(problem, found)
    whole = reduce(both, found.parts)
    if whole is None:
        raise DataError(f"{problem.stream.origin}: has no complete row; expected at least 1")
    return _checked(problem, {ROWS: whole})


def _named(problem: Problem, found: Scored) -> dict[str, Scores]:
    names = PART_NAMES[len(problem.split.fractions)]
    return _checked(problem, {name: one for name, one in zip(names, found.parts, strict=True) if one is not None})


def _checked(problem: Problem, scores: dict[str, Scores]) -> dict[str, Scores]:
    if not all(one.finite for one in scores.values()):
        raise _beyond(problem.stream.origin)
    return scores


def _parts_drawn(problem: Problem, scores: dict[str, Scores], sample: Sample) -> dict[str, PredictedPart]:
    names = PART_NAMES[len(problem.split.fractions)]
    drawn = {}
    for name, one in scores.items():
        rows = sample if name == ROWS else sample.taken(np.flatnonzero(sample.part_of_row == names.index(name)))
        drawn[name] = PredictedPart(
            features=rows.feature[:, None], actual=rows.actual, predicted=rows.predicted, of_all=one.rounded.metrics
        )
    return drawn


def _old_training_parts(data: Data, card: Card, affine: Affine, how: ReadOptions) -> Drawn | None:
    """Predict the training table of a model whose card has no identity; return None if this is another table."""
    if "identity" in card.data:
        return None
    digest = sha256_of(data)
    if digest != card.data["sha256"] and (digest is not None or isinstance(data, Path | str)):
        return None
    table = read_table(data, features=card.features, target=card.target, how=how)
    if table.sha256 != card.data["sha256"]:
        return None
    return Drawn(parts=_finite(predict_parts(affine, parts_of_old(table, card))), notes=table.notes)


def _finite(parts: dict[str, PredictedPart]) -> dict[str, PredictedPart]:
    if not all(np.isfinite(part.predicted).all() for part in parts.values()):
        raise _beyond("model")
    return parts


def _beyond(origin: str) -> DataError:
    return DataError(
        f"{origin}: the rows have values that exceed what the model's dtype holds; "
        "leave them out, or train with --dtype float64"
    )
