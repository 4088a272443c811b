"""Predict the rows of a table with a module or an ONNX file; torch is not needed."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from linreg.errors import DataError
from linreg.reading.blocks import Block
from linreg.reading.options import AS_USUAL, ReadOptions
from linreg.reading.stream import TableStream

Predict = Callable[[NDArray[np.float64]], NDArray[Any]]
"""Takes features of shape (rows, features) in raw units; returns predictions of shape (rows,)."""


@dataclass(frozen=True, kw_only=True)
class Model:
    """What is needed to predict the rows of a table.

    Attributes:
        features: names of the columns that the model takes, in order.
        target: name of the column that it predicts.
        predict: function that predicts.
        how: how the cells of the training table were written, if that is known.
    """

    features: tuple[str, ...]
    target: str
    predict: Predict
    how: ReadOptions = AS_USUAL

    @property
    def column(self) -> str:
        """The name of the column with the predictions."""
        return f"predicted_{self.target}"


def output_schema(stream: TableStream, model: Model, *, with_features: bool) -> pa.Schema:
    """Return the columns of the output, the prediction last, before any row is read.

    Args:
        stream: the table, opened with the features of the model and the columns to pass through.
        model: the model.
        with_features: whether the features stand before the prediction, as numbers.

    Raises:
        DataError: a column that is passed through has the name of the prediction.
    """
    predicted = pa.array(model.predict(np.empty((0, len(model.features))))).type
    before = [(name, pa.float64()) for name in model.features] if with_features else list(stream.passed_schema)
    schema = pa.schema([*before, (model.column, predicted)])
    if len(schema.get_all_field_indices(model.column)) > 1:
        raise DataError(
            f"{stream.origin}: has a column {model.column!r}, which is the name of the prediction; "
            "rename it, or leave it out with --columns"
        )
    return schema


def predicted_batches(
    stream: TableStream,
    model: Model,
    schema: pa.Schema,
    *,
    with_features: bool,
    start: int = 0,
    stop: int | None = None,
) -> Iterator[pa.RecordBatch]:
    """Yield the rows of a table with their predictions, block by block; of an empty table, one batch without rows.

    Args:
        stream: the table.
        model: the model.
        schema: what `output_schema` returned.
        with_features: as for `output_schema`.
        start: first row, a multiple of `BLOCK_ROWS`.
        stop: row to stop before, a multiple of `BLOCK_ROWS`; None predicts to the end.

    Raises:
        DataError: the table cannot be read, or a prediction is not finite.
    """
    empty = True
    for block in stream.blocks(start, stop):
        empty = False
        before = feature_columns(block) if with_features else _passed_columns(block)
        yield pa.RecordBatch.from_arrays(
            [*before, predicted_column(stream.origin, block, model.predict)], schema=schema
        )
    if empty:
        yield pa.RecordBatch.from_arrays([pa.array([], kind) for kind in schema.types], schema=schema)


def _passed_columns(block: Block) -> list[pa.Array]:
    return [] if block.passed is None else block.passed.columns


def predicted_column(origin: str, block: Block, predict: Predict) -> pa.Array:
    """Predict the rows of a block; a row gets null if a feature has no value.

    Args:
        origin: what messages call the table.
        block: the rows, read with the features of the model alone.
        predict: function that predicts with the model.

    Raises:
        DataError: a prediction is not finite.
    """
    predicted = predict(block.values)
    if block.complete is None:
        check_finite(origin, predicted, np.arange(block.start, block.start + len(predicted)))
        return pa.array(predicted)
    places = np.flatnonzero(block.complete)
    check_finite(origin, predicted[places], block.start + places)
    return pa.array(predicted, mask=~block.complete)


def feature_columns(block: Block) -> list[pa.Array]:
    """Return the columns of a block, with null for a missing value."""
    return [pa.array(column, from_pandas=block.complete is not None) for column in block.values.T]


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
