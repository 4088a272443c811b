"""Make tables from arrays: NumPy arrays, torch tensors and anything else that NumPy turns into an array."""

import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, TypeGuard

import numpy as np
import pyarrow as pa
from numpy.typing import ArrayLike, NDArray

from linreg.config import MAX_CELLS, MAX_COLUMNS
from linreg.errors import DataError
from linreg.reading.arrays_stream import ArraysStream
from linreg.reading.column_names import short, tidy

if TYPE_CHECKING:
    import torch

Array = NDArray[np.float64]


def stream_of_arrays(
    features: "ArrayLike | torch.Tensor",
    target: "ArrayLike | torch.Tensor",
    *,
    feature_names: Sequence[str] | None,
    target_name: str | None,
) -> ArraysStream:
    """Copy two arrays into a table.

    Args:
        features: numbers, shape (rows, features), or (rows,) for one feature.
        target: numbers, shape (rows,) or (rows, 1).
        feature_names: one name for each column; None uses the names in a data frame, or else x0, x1, ...
        target_name: the name of the target; None uses the name of a series, or else "y".

    Raises:
        DataError: shapes, names or pandas indexes do not match, a value is not a finite number, or the target
            is constant.
    """
    _check_indexes(features, target)
    x, y = matrix_of("X", features), _numbers("y", target)
    if y.ndim == 2 and y.shape[1] == 1:
        y = y[:, 0]
    if y.ndim != 1 or len(y) != len(x):
        raise DataError(f"y: has shape {y.shape}, expected ({len(x)},) as X has {len(x)} rows")
    if feature_names is None:
        feature_names = _column_names(features) or [f"x{place}" for place in range(x.shape[1])]
    if target_name is None:
        target_name = next(iter(_column_names(target)), "y")
    names, target_name = tuple(tidy(name) for name in feature_names), tidy(target_name)
    _check_names(names, target_name, x.shape[1])
    if len(y) < 2:
        raise DataError(f"X: has {len(y)} rows, expected at least 2")
    for origin, values in (("X", x), ("y", y[:, None])):
        if not np.isfinite(values).all():
            row = int(np.flatnonzero(~np.isfinite(values).all(axis=1))[0])
            raise DataError(f"{origin}: row {row + 1} holds a value that is not finite; leave the row out")
    if (y == y[0]).all():
        raise DataError(f"y: is {y[0]:g} in every row; there is nothing to fit")
    return ArraysStream(features=x, target=y, feature_names=names, target_name=target_name)


def is_tensor(values: object) -> "TypeGuard[torch.Tensor]":
    """Return whether this is a tensor; there is none as long as torch is not imported."""
    torch = sys.modules.get("torch")
    return torch is not None and isinstance(values, torch.Tensor)


def matrix_of(origin: str, values: "ArrayLike | torch.Tensor") -> Array:
    """Return an array in float64 with shape (rows, features); shape (rows,) is read as one feature.

    Raises:
        DataError: the array has another shape, or does not hold real numbers.
    """
    matrix = _numbers(origin, values)
    if matrix.ndim == 1:
        matrix = matrix[:, None]
    if matrix.ndim != 2 or not 1 <= matrix.shape[1] <= MAX_COLUMNS:
        raise DataError(f"{origin}: has shape {matrix.shape}, expected (rows, features)")
    if matrix.size > MAX_CELLS:
        raise DataError(f"{origin}: has shape {matrix.shape}, expected at most {MAX_CELLS} cells; use fewer rows")
    return matrix


def _numbers(origin: str, values: "ArrayLike | torch.Tensor") -> Array:
    """Return the values as a copy in float64, so that later changes to the original have no effect.

    Raises:
        DataError: the values are not real numbers.
    """
    if is_tensor(values):
        import torch

        if values.is_complex() or values.layout is not torch.strided or values.is_quantized:
            raise DataError(f"{origin}: is a tensor of {values.dtype}, {values.layout}; expected a dense real one")
        return values.detach().to("cpu", torch.float64).numpy().copy()
    try:
        array = np.asarray(values)
    except ValueError as error:
        raise DataError(f"{origin}: is not an array of numbers: {error}") from None
    if array.dtype.kind not in "biuf":
        raise DataError(f"{origin}: is an array of {array.dtype}, expected numbers")
    return array.astype(np.float64)


def _column_names(values: Any) -> list[str]:
    """Return the column names of a data frame (pandas, polars, pyarrow), or the name of a series.

    Return an empty list if there are none, or if any of them is not text: by default, pandas numbers its columns.
    """
    if is_tensor(values):  # its `names` are those of axes
        return []
    if isinstance(values, pa.Table):
        return list(values.column_names)
    names = list(values.columns) if hasattr(values, "columns") else [getattr(values, "name", None)]
    return [str(name) for name in names] if all(isinstance(name, str) and name for name in names) else []


def _check_indexes(features: Any, target: Any) -> None:
    """Refuse pandas objects whose indexes differ, since their values would be paired by position."""
    index: Any = getattr(features, "index", None)
    other: Any = getattr(target, "index", None)
    if hasattr(index, "equals") and hasattr(other, "equals") and not index.equals(other):
        raise DataError(
            "y: its index differs from the index of X, so their rows do not match; align it with y.loc[X.index], or "
            "pass y.to_numpy() if the rows match by position"
        )


def _check_names(names: tuple[str, ...], target_name: str, columns: int) -> None:
    if len(names) != columns:
        raise DataError(f"feature_names: got {len(names)} names, expected {columns} as X has {columns} columns")
    seen = {target_name}
    for name in names:
        if not name:
            raise DataError("feature_names: got an empty name, expected one for each column of X")
        if name in seen:
            what = "the target" if name == target_name else "another feature"
            way_out = "; use different names" + (", or name y with target" if name == target_name else "")
            raise DataError(f"feature_names: {short(name)} is also the name of {what}{way_out}")
        seen.add(name)
