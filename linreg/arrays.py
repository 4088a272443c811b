"""Arrays as data: NumPy arrays, torch tensors and whatever NumPy turns into an array."""

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray

from linreg.column_names import short, tidy
from linreg.config import MAX_CELLS, MAX_COLUMNS
from linreg.data import Dataset
from linreg.errors import DataError
from linreg.tables import values_sha256

Array = NDArray[np.float64]


def dataset_of_arrays(
    features: ArrayLike | torch.Tensor,
    target: ArrayLike | torch.Tensor,
    *,
    feature_names: Sequence[str] | None,
    target_name: str,
) -> Dataset:
    """Make a dataset of two arrays.

    Args:
        features: numbers, shape (rows, features), or (rows,) for one feature.
        target: numbers, shape (rows,) or (rows, 1).
        feature_names: one for each column; None uses x0, x1, ...
        target_name: the name of the target.

    Raises:
        DataError: shapes or names do not fit together, a value is not a finite number, or the target is constant.
    """
    x, y = matrix_of("X", features), _numbers("y", target)
    if y.ndim == 2 and y.shape[1] == 1:
        y = y[:, 0]
    if y.ndim != 1 or len(y) != len(x):
        raise DataError(f"y: has shape {y.shape}, expected ({len(x)},) as X has {len(x)} rows")
    names = tuple(f"x{place}" for place in range(x.shape[1])) if feature_names is None else tuple(feature_names)
    names, target_name = tuple(tidy(name) for name in names), tidy(target_name)
    _check_names(names, target_name, x.shape[1])
    if len(y) < 2:
        raise DataError(f"X: has {len(y)} rows, expected at least 2")
    for origin, values in (("X", x), ("y", y[:, None])):
        if not np.isfinite(values).all():
            row = int(np.flatnonzero(~np.isfinite(values).all(axis=1))[0])
            raise DataError(f"{origin}: row {row + 1} holds a value that is not finite; leave the row out")
    if (y == y[0]).all():
        raise DataError(f"y: is {y[0]:g} in every row; there is nothing to fit")
    return Dataset(
        features=x,
        target=y,
        feature_names=names,
        target_name=target_name,
        table=None,
        sha256=values_sha256((*names, target_name), np.column_stack([x, y])),
    )


def matrix_of(origin: str, values: ArrayLike | torch.Tensor) -> Array:
    """Return an array of shape (rows, features) in float64; one of shape (rows,) is one feature.

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


def _numbers(origin: str, values: ArrayLike | torch.Tensor) -> Array:
    """Numbers in float64, copied, so that later changes to them have no effect.

    Raises:
        DataError: the values are not real numbers.
    """
    if isinstance(values, torch.Tensor):
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


def _check_names(names: tuple[str, ...], target_name: str, columns: int) -> None:
    if len(names) != columns:
        raise DataError(f"feature_names: got {len(names)} names, expected {columns} as X has {columns} columns")
    seen = {target_name}
    for name in names:
        if not name:
            raise DataError("feature_names: got an empty name, expected one for each column of X")
        if name in seen:
            what = "the target" if name == target_name else "another feature"
            raise DataError(f"feature_names: {short(name)} is also the name of {what}; use different names")
        seen.add(name)
