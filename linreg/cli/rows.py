"""The rows that a command works on: those of a table, or those of the line that a model was trained on."""

import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Any

from linreg.cli.terminal import note
from linreg.errors import DataError, LinregError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from linreg.card import Card
    from linreg.checkpoint import Checkpoint
    from linreg.data import Part


def parts_of(table: Path | None, card: "Card | None", model: Path) -> "dict[str, Part]":
    """The parts to look at a model with, by name.

    A line is made again, and a table with the bytes of the training data is cut again, as in training: `train`,
    `validation`, `test`. Any other table is one part, `rows`.

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


def rows_to_verify(table: Path, card: "Card | None", model: Path) -> "NDArray[np.float64]":
    """The complete rows of the table of `--data`.

    Raises:
        LinregError: the model has no card, so that its columns have no names.
        DataError: the table cannot be used, or has no complete row.
    """
    from linreg.tables import read_table

    if card is None:
        raise LinregError(
            f"--data: {model} holds no model of linreg train with a card.json, so its columns have no names; "
            "leave --data out"
        )
    rows = read_table(table, features=card.features, target=None).features
    if not len(rows):
        raise DataError(
            f"--data: {table} has no complete row, so nothing would be verified with it; expected at least 1"
        )
    return rows


def predictions_of(checkpoint: "Checkpoint", parts: "dict[str, Part]") -> "dict[str, NDArray[Any]]":
    """What the model answers for every part, by name.

    Raises:
        DataError: an answer is not finite.
    """
    import numpy as np

    from linreg.inference import predict

    predicted = {name: predict(checkpoint.model, part.features) for name, part in parts.items()}
    if not all(np.isfinite(values).all() for values in predicted.values()):
        raise DataError(
            f"{checkpoint.path}: the rows have values that exceed what the model's dtype holds; "
            "leave them out, or train with --dtype float64"
        )
    return predicted
