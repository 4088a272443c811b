"""Fit a table of any size by least squares, block by block, without torch."""

from dataclasses import dataclass, replace

import numpy as np

from linreg.block_split import BlockSplit
from linreg.config import TrainSettings
from linreg.errors import DataError, TrainingError
from linreg.least_squares import LeastSquares, solution_of
from linreg.metrics import Metrics
from linreg.problem import Problem, TableBlocks, Unit
from linreg.scoring import Rounded, Scores, check_range, check_usefulness, coarseness, scored, worse_than_constant
from linreg.survey import Survey, survey_of

PART_NAMES = {1: ("train",), 2: ("train", "test"), 3: ("train", "validation", "test")}
"""The names of the parts of a split, by the number of its fractions."""


@dataclass(frozen=True, kw_only=True)
class ExactFit:
    """A least-squares fit of a table.

    Attributes:
        solution: the solution for the training part, in float64.
        survey: what the first pass found.
        metrics: metrics of the model rounded to its dtype, by part.
        warnings: what the user should know, one line each.
        split: how the rows were split.
    """

    solution: LeastSquares
    survey: Survey
    metrics: dict[str, Metrics]
    warnings: tuple[str, ...]
    split: BlockSplit


def fit_exactly(
    table: TableBlocks, settings: TrainSettings, fractions: tuple[float, ...], *, shuffled: bool, workers: int = 1
) -> ExactFit:
    """Fit a model to the training part of a table.

    Args:
        table: features and target.
        settings: bias, dtype, seed, and whether columns may be collinear.
        fractions: as `linreg.split_text.parse_split` returns them.
        shuffled: whether rows are shuffled with the seed before the split.
        workers: threads of each pass.

    Raises:
        DataError: the data do not suit the method or the dtype, or a part has no rows.
        TrainingError: columns are collinear, or the fit is worse than a constant.
    """
    split = BlockSplit(fractions=fractions, seed=settings.seed if shuffled else None)
    problem = Problem(stream=table, intercept=settings.bias, split=split, workers=workers)
    if not shuffled and len(fractions) > 1:
        problem = replace(problem, split=replace(split, rows=rows_of(problem)))
    survey = survey_of(problem)
    _check(table, survey)
    solution = solution_of(problem, survey, allow_collinear=settings.allow_collinear)
    model = Rounded(weight=solution.weight, bias=solution.bias, dtype=settings.dtype)
    scores = [one for one in scored(problem, model).parts if one is not None]
    largest = np.maximum(np.abs(survey.low), np.abs(survey.high))[:-1]
    check_range(model, largest, scores, table.feature_names)
    train = scores[0]
    check_usefulness(train, settings.dtype, bias=settings.bias)
    _check_fit(train, bias=settings.bias)
    return ExactFit(
        solution=solution,
        survey=survey,
        metrics={name: one.rounded.metrics for name, one in zip(PART_NAMES[len(fractions)], scores, strict=True)},
        warnings=(*warnings_of(solution), *coarseness(train, settings.dtype)),
        split=problem.split,
    )


def rows_of(problem: Problem) -> int:
    """Return the number of rows of a table; if it is not known yet, they are counted."""
    return problem.passed(_count, combine=int.__add__) if problem.stream.rows is None else problem.stream.rows


def _count(unit: Unit, problem: Problem) -> int:
    return sum(len(block.values) for block in problem.stream.blocks(unit.start, unit.stop))


def _check(table: TableBlocks, survey: Survey) -> None:
    """Check that there is something to fit.

    Raises:
        DataError: there is not.
    """
    if survey.complete < 2:
        raise DataError(f"{table.origin}: has {survey.complete} complete rows, expected at least 2")
    if survey.low[-1] == survey.high[-1]:
        raise DataError(
            f"{table.origin}: the target {table.target_name!r} is {survey.low[-1]:g} in every row; "
            "there is nothing to fit"
        )
    if min(survey.part_rows) == 0:
        sizes = "/".join(map(str, survey.part_rows))
        raise DataError(
            f"--split: {survey.rows} rows give parts of {sizes} complete rows; choose other fractions, or --split 1"
        )
    if survey.train_low == survey.train_high:
        raise DataError(
            f"the target {table.target_name!r} is constant in the training part; use another --seed or --split"
        )


def _check_fit(train: Scores, *, bias: bool) -> None:
    if worse_than_constant(train.rounded, bias=bias):
        raise TrainingError(  # an exact solution never is
            f"exact fit: rounding leaves an RMSE of {train.rounded.metrics.rmse:.3g} on the training part, worse than "
            "a constant; columns are nearly linear combinations of each other: leave some out with --features"
        )


def warnings_of(solution: LeastSquares) -> list[str]:
    """Return warnings of columns that are collinear, or nearly so."""
    if solution.collinear:
        names = ", ".join(solution.collinear)
        return [f"collinear columns ({names}): rank {solution.rank}, this is the minimum-norm solution"]
    if solution.near is not None:
        names = ", ".join(solution.near.columns)
        return [
            f"nearly collinear columns ({names}): condition number {solution.near.condition:.2g}, so at most "
            f"{max(0, 16 - int(np.ceil(np.log10(solution.near.condition))))} digits of their coefficients are known"
        ]
    return []
