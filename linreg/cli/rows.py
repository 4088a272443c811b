"""Evaluate a model on the rows that a command uses: those of a table, or those of the line that it was trained on."""

import shlex
from typing import TYPE_CHECKING

from linreg.cli.terminal import note
from linreg.errors import LinregError

if TYPE_CHECKING:
    from linreg.checkpoint import Checkpoint
    from linreg.evaluation import Evaluation
    from linreg.reading.options import ReadOptions


def evaluation_of(
    checkpoint: "Checkpoint", table: str | None, workers: int | None = None, how: "ReadOptions | None" = None
) -> "Evaluation":
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
    from linreg.evaluation import evaluate, evaluate_line
    from linreg.memory import usable_cores

    card, model = checkpoint.card, checkpoint.path
    if card is None:
        raise LinregError(f"{model}: has no card.json, so its columns have no names; use a bundle made by linreg train")
    if table is None:
        if card.data["kind"] != "line":
            raise LinregError(
                f"{model}: was trained on a table, and a bundle does not hold its data; "
                f"name it: linreg COMMAND TABLE -m {shlex.quote(str(model.parent))}"
            )
        return evaluate_line(card, checkpoint.affine)
    evaluation = evaluate(table, card, checkpoint.affine, how=how, workers=workers or usable_cores())
    for text in evaluation.notes:
        note(f"note: {text}")
    return evaluation


def read_before(checkpoint: "Checkpoint") -> "ReadOptions | None":
    """Return how the cells of the training table were written; None if that is not known."""
    return None if checkpoint.card is None else checkpoint.card.read
