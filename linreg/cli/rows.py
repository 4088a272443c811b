"""The rows that a command works on: those of a table, or those of the line that a model was trained on."""

import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Any

from linreg.cli.terminal import note
from linreg.config import LineSettings
from linreg.errors import DataError, LinregError

if TYPE_CHECKING:
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
    from linreg.data import Part, parse_split, read_dataset, split, straight_line
    from linreg.tables import read_table

    if card is None:
        raise LinregError(f"{model}: has no card.json, so its columns have no names; use a bundle made by linreg train")
    if table is None:
        if card.data["kind"] != "line":
            raise LinregError(
                f"{model}: was trained on a table, and a bundle does not hold its data; "
                f"name it: linreg COMMAND TABLE -m {shlex.quote(str(model.parent))}"
            )
        dataset = straight_line(LineSettings(**card.data["line"]), card.dtype)
    else:
        read = read_table(table, features=card.features, target=card.target)
        for text in read.notes:
            note(f"note: {text}")
        if read.target is None or not len(read.target):
            raise DataError(f"{table}: has no complete row; expected at least 1")
        if read.sha256 != card.data["sha256"]:
            return {"rows": Part(features=read.features, target=read.target)}
        dataset = read_dataset(table, features=card.features, target=card.target)
    seed = card.training["seed"] if card.data["shuffled"] else None
    return dict(split(dataset, parse_split(card.data["split"]), shuffle_seed=seed).items())


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
