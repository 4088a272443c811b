"""Predict the rows of a table with a module or an ONNX file; torch is not needed."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from linreg.errors import DataError
from linreg.reading.tables import Table

Predict = Callable[[NDArray[np.float64]], NDArray[Any]]
"""Takes features of shape (rows, features) in raw units; returns predictions of shape (rows,)."""


def predict_table(origin: str, rows: Table, predict: Predict) -> pa.Array:
    """Return a prediction for every row of a table; a row gets null if a feature has no value.

    Args:
        origin: what messages call the table.
        rows: the rows, read with the features of the model.
        predict: function that predicts with the model.

    Raises:
        DataError: a prediction is not finite.
    """
    predicted = predict(rows.features)
    check_finite(origin, predicted, np.flatnonzero(rows.complete))
    place = np.full(len(rows.complete), -1)
    place[rows.complete] = np.arange(len(predicted))
    return pa.array(predicted).take(pa.array(place, mask=~rows.complete))


def check_finite(origin: str, predicted: NDArray[Any], places: NDArray[np.int_]) -> None:
    """Check that predictions are finite numbers.

    Args:
        origin: what the message calls the rows.
        predicted: shape (rows,).
        places: positions of those rows in the table, counted from 0.

    Raises:
        DataError: a prediction is not finite.
    """
    beyond = ~np.isfinite(predicted)
    if beyond.any():
        first = int(beyond.argmax())
        raise DataError(
            f"{origin}: row {places[first] + 1} gives {predicted[first]}: its values exceed what the model's dtype "
            "holds; leave it out, or train with --dtype float64"
        )
