"""Predict the rows that a model is plotted with."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from linreg.affine import Affine
from linreg.card import Card
from linreg.data import Part
from linreg.parts import PredictedPart, parts_of, predict_parts, read_rows


def predicted_parts(
    affine: Affine,
    card: Card,
    data: Any,
    *,
    fitted_to: Mapping[str, Part] | None,
) -> dict[str, PredictedPart]:
    """Predict the rows of a table, by part.

    Args:
        affine: the model.
        card: the card of the model.
        data: a table with features and target; None uses the rows that the model was fitted to.
        fitted_to: those rows by part; None computes the points of a straight line again.

    Raises:
        LinregError: there are no rows to predict.
        DataError: the table cannot be used, or has no complete row.
    """
    if data is not None:
        parts = parts_of(read_rows(Path(data) if isinstance(data, str | os.PathLike) else data, card), card)
    else:
        parts = parts_of(None, card) if fitted_to is None else dict(fitted_to)
    return predict_parts(affine, parts)
