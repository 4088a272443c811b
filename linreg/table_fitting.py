"""Fit a model to a table that is read in blocks, and describe the fit in a card."""

from dataclasses import dataclass, replace
from typing import Any

from linreg.affine import check_architecture
from linreg.block_split import RULE
from linreg.card import Card, ranges_of
from linreg.config import TRAINING, Method, TrainSettings
from linreg.data import Dataset
from linreg.errors import DataError
from linreg.exact_fit import check_table, fit_exactly, split_problem
from linreg.memory import in_words
from linreg.parts_in_memory import parts_in_memory
from linreg.problem import Problem
from linreg.reading.stream import TableStream
from linreg.split_text import parse_split
from linreg.streamed_training import fit_streamed
from linreg.survey import IDENTITY, Survey, survey_of
from linreg.training import Fit, card_of, check_settings
from linreg.training import fit as train

SMALL_BATCH = 1024
"""A batch size to suggest where that many rows fit into memory."""


@dataclass(frozen=True, kw_only=True)
class TableFit:
    """A model fitted to a table.

    Attributes:
        fit: the model, its metrics and warnings.
        card: the card of the model.
        problem: the table, with the split that was used.
    """

    fit: Fit
    card: Card
    problem: Problem


def fit_table(
    problem: Problem,
    settings: TrainSettings,
    *,
    split: str,
    shuffled: bool,
    memory_bytes: int,
    keep_on_interrupt: bool = False,
) -> TableFit:
    """Fit a model to the training part of a table.

    Args:
        problem: the table; its split and intercept are set here. After each epoch of a gradient method, `progress` is
            called as progress("training", epochs done, epochs).
        settings: how to fit.
        split: the fractions of the parts, such as "0.8".
        shuffled: whether rows are shuffled with the seed before the split.
        memory_bytes: a gradient method streams a larger table in batches.
        keep_on_interrupt: on KeyboardInterrupt in a gradient method, keep the best parameters so far.

    Raises:
        LinregError: as `linreg.fit`.
    """
    check_settings(settings)
    check_architecture(settings.architecture, problem.features, bias=settings.bias)
    seed = settings.seed if shuffled else None
    problem = split_problem(problem, parse_split(split), seed=seed, bias=settings.bias)
    if settings.method is Method.EXACT:
        fit, survey = _exact(problem, settings)
    else:
        fit, survey = _descended(problem, settings, memory_bytes, keep_on_interrupt=keep_on_interrupt)
    table = problem.stream
    assert table.target_name is not None
    source: dict[str, Any] = {
        "kind": "table",
        "rows": survey.complete,
        "table_rows": survey.rows,
        "split": split,
        "shuffled": shuffled,
        "shuffle": RULE,
        "identity": IDENTITY,
        "sha256": survey.identity((*table.feature_names, table.target_name)),
        "ranges": ranges_of(table.feature_names, survey.low[:-1], survey.high[:-1]),
    }
    if isinstance(table, TableStream) and table.how.record:
        source["read"] = table.how.record
    card = card_of(table.feature_names, table.target_name, source, settings, fit)
    return TableFit(fit=fit, card=card, problem=replace(problem, progress=None))


def _exact(problem: Problem, settings: TrainSettings) -> tuple[Fit, Survey]:
    found = fit_exactly(problem, settings)
    fit = Fit(
        affine=found.affine,
        history=(),
        interrupted_at=None,
        solution=found.solution,
        metrics=found.metrics,
        device="cpu",
        warnings=found.warnings,
    )
    return fit, found.survey


def _descended(
    problem: Problem,
    settings: TrainSettings,
    memory_bytes: int,
    *,
    keep_on_interrupt: bool,
) -> tuple[Fit, Survey]:
    survey = survey_of(problem)
    check_table(problem, survey)
    progress = problem.progress
    tell = None if progress is None else lambda epoch, _loss: progress(TRAINING, epoch + 1, settings.epochs)
    if 8 * (problem.features + 1) * survey.complete > memory_bytes:
        _check_batch(problem, survey, settings, memory_bytes)
        return fit_streamed(problem, survey, settings, progress=tell, keep_on_interrupt=keep_on_interrupt), survey
    table, parts = problem.stream, parts_in_memory(problem)
    assert table.target_name is not None
    dataset = Dataset(
        features=parts.train.features,
        target=parts.train.target,
        feature_names=table.feature_names,
        target_name=table.target_name,
        table=None,
        sha256="",
    )
    return train(dataset, parts, settings, progress=tell, keep_on_interrupt=keep_on_interrupt), survey


def _check_batch(problem: Problem, survey: Survey, settings: TrainSettings, memory_bytes: int) -> None:
    """Check that the rows that a gradient method needs at a time fit into memory.

    Raises:
        DataError: they do not.
    """
    size, row_bytes = settings.batch_size, 8 * (problem.features + 1)
    if size is not None and row_bytes * size <= memory_bytes:
        return
    what = f"all {survey.complete:,} rows" if size is None else f"batches of {size:,} rows"
    needed = in_words(row_bytes * min(survey.complete, size or survey.complete))
    fitting_rows = memory_bytes // row_bytes
    batches = f"--batch-size {min(SMALL_BATCH, fitting_rows)}, " if fitting_rows else ""
    if batches and settings.method is Method.LBFGS:
        batches = f"--method adam with {batches}"
    raise DataError(
        f"{problem.stream.origin}: method {settings.method} needs {what} at a time, {needed}, and --memory is "
        f"{in_words(memory_bytes)}; use {batches}--method exact, or a larger --memory"
    )
