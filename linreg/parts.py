"""Split the data that a model is evaluated on into parts, by name."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from linreg.affine import Affine, predict
from linreg.card import Card
from linreg.config import LineSettings
from linreg.data import Part, dataset_of_table, split, straight_line
from linreg.errors import DataError, LinregError
from linreg.reading.arrow_columns import ArrowStream
from linreg.reading.tables import Table, read_table
from linreg.split_text import parse_split


@dataclass(frozen=True, kw_only=True)
class PredictedPart:
    """One part of the data and what the model predicts for it.

    Attributes:
        features: shape (rows, features), float64.
        actual: target, shape (rows,), float64.
        predicted: shape (rows,), any floating dtype.
    """

    features: NDArray[np.float64]
    actual: NDArray[np.float64]
    predicted: NDArray[np.floating]


def predict_parts(affine: Affine, parts: Mapping[str, Part]) -> dict[str, PredictedPart]:
    """Return what a model predicts for each part, by name."""
    return {
        name: PredictedPart(features=part.features, actual=part.target, predicted=predict(affine, part.features))
        for name, part in parts.items()
    }


def parts_of(table: Table | None, card: Card) -> dict[str, Part]:
    """Return the parts of the data to evaluate a model on, by name.

    The training data are split as in training, into `train`, `validation` and `test`. Any other table is one part,
    `rows`.

    Args:
        table: as `read_rows` returns it; None computes the points of the straight line again.
        card: card of the model.

    Raises:
        LinregError: a table is needed.
    """
    if table is None:
        if card.data["kind"] != "line":
            raise LinregError("the model was trained on a table, and a bundle does not hold its data; give the table")
        dataset = straight_line(LineSettings(**card.data["line"]), card.dtype)
    elif table.sha256 != card.data["sha256"]:
        assert table.target is not None
        return {"rows": Part(features=table.features, target=table.target)}
    else:
        dataset = dataset_of_table("table", table)
    seed = card.training["seed"] if card.data["shuffled"] else None
    return dict(split(dataset, parse_split(card.data["split"]), shuffle_seed=seed).items())


def read_rows(data: Path | ArrowStream, card: Card) -> Table:
    """Read a model's features and target from a table.

    Raises:
        DataError: the table cannot be used, or has no complete row.
    """
    table = read_table(data, features=card.features, target=card.target)
    if table.target is None or not len(table.target):
        origin = data if isinstance(data, Path) else type(data).__name__
        raise DataError(f"{origin}: has no complete row; expected at least 1")
    return table
