"""Predict the rows that a model is plotted with."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from linreg.affine import Affine
from linreg.card import Card
from linreg.data import Part
from linreg.errors import LinregError
from linreg.evaluation import draw, draw_line, draw_rows
from linreg.memory import usable_cores
from linreg.parts import PredictedPart
from linreg.problem import Problem


def predicted_parts(
    affine: Affine,
    card: Card,
    data: Any,
    *,
    fitted_to: Problem | Mapping[str, Part] | None,
) -> dict[str, PredictedPart]:
    """Predict the rows of a table, by part.

    Args:
        affine: the model.
        card: the card of the model.
        data: a table with features and target; None uses the rows that the model was fitted to.
        fitted_to: those rows; None computes the points of a straight line again.

    Raises:
        LinregError: there are no rows to predict.
        DataError: the table cannot be used, or has no complete row.
    """
    if data is not None:
        table = Path(data) if isinstance(data, os.PathLike) else data
        return draw(table, card, affine, workers=usable_cores()).parts
    if fitted_to is not None:
        return draw_rows(fitted_to, affine)
    if card.data["kind"] != "line":
        raise LinregError("the model was trained on a table, and a bundle does not hold its data; give the table")
    return draw_line(card, affine)
