"""Fit a model to a table that is read in blocks, and describe the fit in a card."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from linreg.affine import check_architecture
from linreg.block_split import RULE
from linreg.card import Card
from linreg.config import Method, TrainSettings
from linreg.data import Dataset
from linreg.errors import DataError
from linreg.exact_fit import check_table, fit_exactly, split_problem
from linreg.memory import in_words
from linreg.parts_in_memory import parts_in_memory
from linreg.problem import Problem
from linreg.reading.stream import TableStream
from linreg.split_text import parse_split
from linreg.survey import IDENTITY, Survey, survey_of
from linreg.training import Fit, card_of, check_settings
from linreg.training import fit as train

Progress = Callable[[str, int, int], None]


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
    progress: Progress | None = None,
) -> TableFit:
    """Fit a model to the training part of a table.

    Args:
        problem: the table; its split and intercept are set here.
        settings: how to fit.
        split: the fractions of the parts, such as "0.8".
        shuffled: whether rows are shuffled with the seed before the split.
        memory_bytes: what a gradient method may hold of the table.
        keep_on_interrupt: on KeyboardInterrupt in a gradient method, keep the best parameters so far.
        progress: called as progress("training", epochs done, epochs) after each epoch.

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
        fit, survey = _descended(problem, settings, memory_bytes, progress, keep_on_interrupt=keep_on_interrupt)
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
    }
    if isinstance(table, TableStream) and table.how.record:
        source["read"] = table.how.record
    card = card_of(table.feature_names, table.target_name, source, settings, fit)
    return TableFit(fit=fit, card=card, problem=problem)


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
    progress: Progress | None,
    *,
    keep_on_interrupt: bool,
) -> tuple[Fit, Survey]:
    survey = survey_of(problem)
    check_table(problem, survey)
    needed = 8 * survey.complete * (problem.features + 1)
    if needed > memory_bytes:
        raise DataError(
            f"{problem.stream.origin}: method {settings.method} holds all rows, {in_words(needed)}, and may hold "
            f"{in_words(memory_bytes)}; raise --memory, choose fewer --features, or use --method exact"
        )
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
    fit = train(
        dataset,
        parts,
        settings,
        progress=None if progress is None else lambda epoch, _loss: progress("training", epoch + 1, settings.epochs),
        keep_on_interrupt=keep_on_interrupt,
    )
    return fit, survey
