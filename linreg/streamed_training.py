"""Fit a table that is larger than memory with a gradient method, batch by batch."""

from typing import TYPE_CHECKING

from linreg.affine import rounded
from linreg.config import TrainSettings
from linreg.exact_fit import rated
from linreg.problem import Problem
from linreg.scoring import Rounded
from linreg.survey import Survey
from linreg.table_scaler import table_scaler
from linreg.training import Fit, descended

if TYPE_CHECKING:
    from linreg.descent import Progress


def fit_streamed(
    problem: Problem,
    survey: Survey,
    settings: TrainSettings,
    *,
    progress: "Progress | None",
    keep_on_interrupt: bool,
) -> Fit:
    """Fit a model to the training part.

    The scaler comes from one pass over the table, the metrics from another. Each epoch reads the table once.

    Args:
        problem: the table, with its split. Single blocks are read in any order.
        survey: what the first pass found.
        settings: how to fit; there is a batch size.
        progress: called after each epoch with its number and train loss.
        keep_on_interrupt: as in `linreg.training.fit`.

    Raises:
        LinregError: as by `linreg.training.fit`.
    """
    from linreg.batches import StreamedRows

    size, scaler = settings.batch_size, table_scaler(problem)
    assert size is not None
    found = descended(
        lambda model: StreamedRows(problem, survey.rows, scaler, model, batch_size=size, seed=settings.seed),
        problem.stream.feature_names,
        scaler,
        settings,
        progress=progress,
        keep_on_interrupt=keep_on_interrupt,
    )
    bias = found.bias if settings.bias else None
    affine = rounded(settings.architecture, found.weight, bias, settings.dtype)
    rating = rated(problem, survey, Rounded(affine=affine, weight=found.weight, bias=bias or 0.0), exact=False)
    return Fit(
        affine=affine,
        history=found.descent.history,
        interrupted_at=found.descent.interrupted_at,
        solution=None,
        metrics=rating.metrics,
        device=found.device,
        warnings=(*found.warnings, *rating.warnings),
    )
