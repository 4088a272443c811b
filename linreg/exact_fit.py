"""Fit a table of any size by least squares, block by block, without torch."""

from dataclasses import dataclass, replace

import numpy as np

from linreg.affine import Affine, rounded
from linreg.block_split import BlockSplit
from linreg.collinearity import in_words
from linreg.config import TrainSettings
from linreg.data import rows_in_words
from linreg.errors import DataError
from linreg.least_squares import LeastSquares, solution_of
from linreg.metrics import Metrics
from linreg.problem import PART_NAMES, Problem, Unit
from linreg.rating import Rating, rating_of
from linreg.scoring import Rounded, scored
from linreg.survey import Survey, survey_of


@dataclass(frozen=True, kw_only=True)
class ExactFit:
    """A least-squares fit of a table.

    Attributes:
        affine: the model rounded to its dtype.
        solution: the solution for the training part, in float64.
        survey: what the first pass found.
        metrics: metrics of the model rounded to its dtype, by part.
        warnings: what the user should know, one line each.
    """

    affine: Affine
    solution: LeastSquares
    survey: Survey
    metrics: dict[str, Metrics]
    warnings: tuple[str, ...]


def fit_exactly(problem: Problem, settings: TrainSettings) -> ExactFit:
    """Fit a model to the training part of a table.

    Args:
        problem: the table, with its split.
        settings: architecture and dtype of the model, and whether columns may be collinear.

    Raises:
        DataError: the data do not suit the method or the dtype, or a part has no rows.
        TrainingError: columns are collinear, or the fit is worse than a constant.
    """
    survey = survey_of(problem)
    check_table(problem, survey)
    solution = solution_of(problem, survey, allow_collinear=settings.allow_collinear)
    bias = solution.bias if problem.intercept else None
    affine = rounded(settings.architecture, solution.weight, bias, settings.dtype)
    model = Rounded(affine=affine, weight=solution.weight, bias=solution.bias)
    rating = rated(problem, survey, model, exact=True)
    return ExactFit(
        affine=affine,
        solution=solution,
        survey=survey,
        metrics=rating.metrics,
        warnings=(*warnings_of(solution), *rating.warnings),
    )


def split_problem(problem: Problem, fractions: tuple[float, ...], *, seed: int | None, bias: bool) -> Problem:
    """Return a problem with a split and an intercept.

    Args:
        problem: the table.
        fractions: as `linreg.split_text.parse_split` returns them.
        seed: seed with which the rows are shuffled first; None keeps their order.
        bias: whether there is an intercept.
    """
    rows = rows_of(problem) if seed is None and len(fractions) > 1 else None
    return replace(problem, intercept=bias, split=BlockSplit(fractions=fractions, seed=seed, rows=rows))


def rows_of(problem: Problem) -> int:
    """Return the number of rows of a table; if it is not known yet, they are counted."""
    return (
        problem.passed(_count, combine=int.__add__, stage="rows")
        if problem.stream.rows is None
        else problem.stream.rows
    )


def _count(unit: Unit, problem: Problem) -> int:
    return sum(len(block.values) for block in problem.blocks(unit))


def check_table(problem: Problem, survey: Survey) -> None:
    """Check that there is something to fit.

    Raises:
        DataError: there is not.
    """
    table, shuffled = problem.stream, problem.split.seed is not None
    if survey.complete < 2:
        raise DataError(f"{table.origin}: has {rows_in_words(survey.complete)}, expected at least 2")
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
        another = "another --seed or --split" if shuffled else "another --split, or leave out --no-shuffle"
        raise DataError(f"the target {table.target_name!r} is constant in the training part; use {another}")


def rated(problem: Problem, survey: Survey, model: Rounded, *, exact: bool) -> Rating:
    """Score a fitted model on each part, and check it.

    Raises:
        LinregError: as `linreg.rating.rating_of`.
    """
    scores = [one for one in scored(problem, model).parts if one is not None]
    names = PART_NAMES[len(problem.split.fractions)]
    return rating_of(
        model,
        dict(zip(names, scores, strict=True)),
        np.maximum(np.abs(survey.low), np.abs(survey.high))[:-1],
        problem.stream.feature_names,
        exact=exact,
    )


def warnings_of(solution: LeastSquares) -> list[str]:
    """Return warnings of columns that are collinear, or nearly so."""
    if solution.collinear:
        columns = in_words(solution.collinear)
        return [f"collinear columns ({columns}): rank {solution.rank}, this is the minimum-norm solution"]
    if solution.near is not None:
        columns = in_words(solution.near.columns)
        digits = max(0, 16 - int(np.ceil(np.log10(solution.near.condition))))
        known = {0: "no digit of their coefficients is", 1: "at most 1 digit of their coefficients is"}
        return [
            f"nearly collinear columns ({columns}): condition number {solution.near.condition:.2g}, so "
            f"{known.get(digits, f'at most {digits} digits of their coefficients are')} known"
        ]
    return []
