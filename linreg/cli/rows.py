"""The rows that a command evaluates or plots a model with: a table, or the line that the model was trained on."""

import shlex
from typing import TYPE_CHECKING

from linreg.cli.table_progress import TableProgress
from linreg.cli.terminal import note, stages
from linreg.errors import LinregError

if TYPE_CHECKING:
    from linreg.card import Card
    from linreg.checkpoint import Checkpoint
    from linreg.metrics import Metrics
    from linreg.parts import PredictedPart
    from linreg.reading.options import ReadOptions


def metrics_of_rows(
    checkpoint: "Checkpoint", table: str | None, workers: int | None = None, how: "ReadOptions | None" = None
) -> "dict[str, Metrics]":
    """Evaluate a model, and print notes on the table.

    The line is generated again. It, or the training table, is split as in training, into `train`, `validation` and
    `test`. Any other table is one part, `rows`.

    Args:
        checkpoint: the model.
        table: the table; None for the line.
        workers: threads that read and compute; None uses all cores.
        how: how the cells are written; None reads them as those of the training table.

    Raises:
        LinregError: the model has no card, or a table is needed.
        DataError: the table cannot be used, or a prediction is not finite.
    """
    from linreg.evaluation import draw_line, evaluate, metrics_of
    from linreg.memory import usable_cores

    card = _card(checkpoint, table)
    if table is None:
        return metrics_of(draw_line(card, checkpoint.affine))
    with stages() as bar:
        progress = TableProgress(bar)
        found = evaluate(
            table,
            card,
            checkpoint.affine,
            how=how,
            workers=workers or usable_cores(),
            progress=progress,
            on_open=progress.opened,
        )
    _tell(found.notes)
    return found.metrics


def rows_to_plot(
    checkpoint: "Checkpoint", table: str | None, workers: int | None = None, how: "ReadOptions | None" = None
) -> "dict[str, PredictedPart]":
    """Draw rows to plot a model with; arguments and errors are those of `metrics_of_rows`."""
    from linreg.evaluation import draw, draw_line
    from linreg.memory import usable_cores

    card = _card(checkpoint, table)
    if table is None:
        return draw_line(card, checkpoint.affine)
    with stages() as bar:
        progress = TableProgress(bar)
        found = draw(
            table,
            card,
            checkpoint.affine,
            how=how,
            workers=workers or usable_cores(),
            progress=progress,
            on_open=progress.opened,
        )
    _tell(found.notes)
    return found.parts


def _card(checkpoint: "Checkpoint", table: str | None) -> "Card":
    card, model = checkpoint.card, checkpoint.path
    if card is None:
        raise LinregError(f"{model}: has no card.json, so its columns have no names; use a bundle made by linreg train")
    if table is None and card.data["kind"] != "line":
        raise LinregError(
            f"{model}: was trained on a table, and a bundle does not hold its data; "
            f"name it: linreg COMMAND TABLE -m {shlex.quote(str(model.parent))}"
        )
    return card


def _tell(notes: tuple[str, ...]) -> None:
    for text in notes:
        note(f"note: {text}")


def read_before(checkpoint: "Checkpoint") -> "ReadOptions | None":
    """Return how the cells of the training table were written; None if that is not known."""
    return None if checkpoint.card is None else checkpoint.card.read
