"""Predict for a table, an array or a tensor, and return the same kind."""

import os
from collections.abc import Mapping
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from linreg.affine import Affine, predict
from linreg.arrays import is_tensor, matrix_of
from linreg.card import Card
from linreg.errors import DataError, ModelError
from linreg.predictions import check_finite, predicted_column
from linreg.reading.arrow_columns import ArrowStream, arrow_table
from linreg.reading.stream import open_stream

UNNAMED = "the model has no card.json, so its columns have no names"


def predict_like(data: Any, affine: Affine, card: Card | None) -> Any:
    """Predict, and return the same kind as `data`: see `linreg.FittedModel.predict`.

    Raises:
        DataError: a column is missing, the shape is wrong, or a prediction is not finite.
        ModelError: `data` is a table and there is no card.
    """
    if isinstance(data, str | os.PathLike):
        return _of_table(Path(data) if isinstance(data, os.PathLike) else data, affine, card)
    if isinstance(data, Mapping):
        return _of_table(arrow_table(data), affine, card)
    if isinstance(data, ArrowStream):
        return _as_library_of(data, _of_table(data, affine, card))
    predicted = _of_array(data, affine)
    if not is_tensor(data):
        return predicted
    import torch

    return torch.from_numpy(predicted).to(data.device)


def _of_table(data: Path | str | ArrowStream, affine: Affine, card: Card | None) -> pa.Table:
    if card is None:
        raise ModelError(f"predict: {UNNAMED}; predict from an array of shape (rows, features)")
    stream = open_stream(data, features=card.features, target=None, how=card.read)
    columns = [predicted_column(stream.origin, block, partial(predict, affine)) for block in stream.blocks()]
    kind = None if columns else pa.array(predict(affine, np.empty((0, len(card.features))))).type
    return pa.table({"predicted": pa.chunked_array(columns, kind)})


def _of_array(data: Any, affine: Affine) -> NDArray[np.floating]:
    features, columns = matrix_of("X", data), affine.weight.shape[1]
    if features.shape[1] != columns:
        raise DataError(f"X: has shape {features.shape}, expected (rows, {columns})")
    predicted = predict(affine, features)
    given = np.flatnonzero(~np.isnan(features).any(axis=1))
    check_finite("X", predicted[given], given)
    return predicted


def _as_library_of(data: ArrowStream, predicted: pa.Table) -> Any:
    """Convert predictions to the library of `data`, if that is pandas or polars."""
    library = type(data).__module__.partition(".")[0]
    if library == "pandas":
        values = predicted.column("predicted").to_numpy()
        return import_module(library).DataFrame({"predicted": values}, index=data.index)  # type: ignore[attr-defined]
    if library == "polars":
        return import_module(library).from_arrow(predicted)
    return predicted
