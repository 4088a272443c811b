"""The rows that a model is evaluated on, by part, and what it predicts for them."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from linreg.affine import Affine, predict
from linreg.card import Card
from linreg.config import LineSettings
from linreg.data import Part, dataset_of_table, split, straight_line
from linreg.metrics import Metrics, measure
from linreg.reading.tables import Table
from linreg.split_text import parse_split


@dataclass(frozen=True, kw_only=True)
class PredictedPart:
    """One part of the data and what the model predicts for it.

    Attributes:
        features: shape (rows, features), float64; if rows were drawn, the first feature alone.
        actual: target, shape (rows,), float64.
        predicted: shape (rows,), any floating dtype.
        of_all: metrics of all rows, if these were drawn from more.
    """

    features: NDArray[np.float64]
    actual: NDArray[np.float64]
    predicted: NDArray[np.floating]
    of_all: Metrics | None = None

    @cached_property
    def metrics(self) -> Metrics:
        """The metrics of the part."""
        return self.of_all or measure(self.actual, self.predicted)


def predict_parts(affine: Affine, parts: Mapping[str, Part]) -> dict[str, PredictedPart]:
    """Return what a model predicts for each part, by name."""
    return {
        name: PredictedPart(features=part.features, actual=part.target, predicted=predict(affine, part.features))
        for name, part in parts.items()
    }


def line_parts(card: Card) -> dict[str, Part]:
    """Return the points of the straight line that a model was trained on, split as in training."""
    dataset = straight_line(LineSettings(**card.data["line"]), card.dtype)
    return dict(split(dataset, parse_split(card.data["split"]), shuffle_seed=None).items())


def parts_of_old(table: Table, card: Card) -> dict[str, Part]:
    """Return the training table of a model whose card was written before tables were split by blocks.

    Its complete rows were shuffled as a whole.
    """
    seed = card.training["seed"] if card.data["shuffled"] else None
    return dict(split(dataset_of_table("table", table), parse_split(card.data["split"]), shuffle_seed=seed).items())
