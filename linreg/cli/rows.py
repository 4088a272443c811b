"""Find the rows that a command uses: those of a table, or those of the line that the model was trained on."""

import shlex
from pathlib import Path
from typing import TYPE_CHECKING

from linreg.cli.terminal import note
from linreg.errors import DataError, LinregError

if TYPE_CHECKING:
    from linreg.card import Card
    from linreg.checkpoint import Checkpoint
    from linreg.data import Part
    from linreg.parts import PredictedPart


def parts_of(table: Path | None, card: "Card | None", model: Path) -> "dict[str, Part]":
    """Return the parts of the data to evaluate a model on, by name.

    The line is generated again. It, or a table with the same bytes as the training data, is split as in training, into
    `train`, `validation` and `test`. Any other table is one part, `rows`.

    Raises:
        LinregError: the model has no card, or a table is needed.
        DataError: the table cannot be used.
    """
    from linreg import parts

    if card is None:
        raise LinregError(f"{model}: has no card.json, so its columns have no names; use a bundle made by linreg train")
    if table is None and card.data["kind"] != "line":
        raise LinregError(
            f"{model}: was trained on a table, and a bundle does not hold its data; "
            f"name it: linreg COMMAND TABLE -m {shlex.quote(str(model.parent))}"
        )
    rows = None if table is None else parts.read_rows(table, card)
    for text in rows.notes if rows else ():
        note(f"note: {text}")
    return parts.parts_of(rows, card)


def predictions_of(checkpoint: "Checkpoint", parts: "dict[str, Part]") -> "dict[str, PredictedPart]":
    """Return the predictions for every part, by name.

    Raises:
        DataError: a prediction is not finite.
    """
    import numpy as np

    from linreg.parts import predict_parts

    predicted = predict_parts(checkpoint.affine, parts)
    if not all(np.isfinite(part.predicted).all() for part in predicted.values()):
        raise DataError(
            f"{checkpoint.path}: the rows have values that exceed what the model's dtype holds; "
            "leave them out, or train with --dtype float64"
        )
    return predicted
