"""The data that a model is fitted to, their split into parts, and the scaler."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from linreg.config import MAX_LINE_POINTS, LineSettings, Precision
from linreg.errors import DataError
from linreg.files import sha256
from linreg.reading.tables import Table

Array = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True, repr=False)
class Dataset:
    """Features and target in their raw units.

    Attributes:
        features: float64, shape (rows, features). A float32 line is held exactly.
        target: float64, shape (rows,).
        feature_names: one name for each column.
        target_name: name of the target.
        line: the settings of a straight line; None for other data.
        table: the table that it was read from; None for a straight line or arrays.
        sha256: SHA-256 of the file's bytes or of a line's values; for data in memory, as
            `linreg.reading.tables.values_sha256` computes it.
    """

    features: Array
    target: Array
    feature_names: tuple[str, ...]
    target_name: str
    table: Table | None
    sha256: str
    line: LineSettings | None = None

    def __repr__(self) -> str:
        names = ", ".join(map(repr, self.feature_names[:3])) + (", ..." if len(self.feature_names) > 3 else "")
        return f"Dataset({len(self.target)} rows, target {self.target_name!r}, features {names})"


@dataclass(frozen=True, kw_only=True)
class Part:
    """Some rows of a dataset: float64 features of shape (rows, features), and a float64 target of shape (rows,)."""

    features: Array
    target: Array


@dataclass(frozen=True, kw_only=True)
class Parts:
    """The parts of a dataset; validation and test are None if the split has no such part."""

    train: Part
    validation: Part | None
    test: Part | None

    def items(self) -> list[tuple[str, Part]]:
        """Return the parts that exist, by name."""
        named = (("train", self.train), ("validation", self.validation), ("test", self.test))
        return [(name, part) for name, part in named if part is not None]


@dataclass(frozen=True, kw_only=True)
class Scaler:
    """Standardise features and target: z = (x - mean) / scale, with mean and scale of the training part alone.

    A feature that is constant up to rounding gets an infinite scale. It then becomes 0, and so does its coefficient
    when the scaling is folded into the model.
    """

    feature_mean: Array
    feature_scale: Array
    target_mean: float
    target_scale: float


def straight_line(settings: LineSettings, dtype: Precision = Precision.FLOAT32) -> Dataset:
    """Return the points of a straight line, computed by torch in `dtype`.

    Raises:
        DataError: the settings are not finite, or give no points or too many.
    """
    numbers = (settings.weight, settings.bias, settings.start, settings.end, settings.step)
    if not np.isfinite(numbers).all() or settings.step <= 0 or settings.end <= settings.start:
        raise DataError(
            f"line: got start {settings.start}, end {settings.end}, step {settings.step}, weight {settings.weight}, "
            f"bias {settings.bias}; expected finite numbers, start < end and a step above 0"
        )
    points = (settings.end - settings.start) / settings.step
    if points > MAX_LINE_POINTS:
        raise DataError(
            f"line: a step of {settings.step} gives {points:.3g} points, expected at most {MAX_LINE_POINTS}"
        )
    import torch

    x = torch.arange(settings.start, settings.end, settings.step, dtype=getattr(torch, dtype))
    y = settings.weight * x + settings.bias
    features, target = x.double().numpy()[:, None], y.double().numpy()
    if not np.isfinite(target).all():
        raise DataError(f"line: weight {settings.weight} and bias {settings.bias} give values beyond {dtype}")
    if len(x) > 1 and x[0] == x[-1]:
        raise DataError(
            f"line: from {settings.start} to {settings.end} {dtype} has only one distinct point; move it towards 0, "
            "or use float64"
        )
    return Dataset(
        features=features,
        target=target,
        feature_names=("x",),
        target_name="y",
        table=None,
        sha256=sha256(features.astype("<f8").tobytes() + target.astype("<f8").tobytes()),
        line=settings,
    )


def rows_in_words(complete: int) -> str:
    """Return a number of complete rows for a message."""
    return "1 complete row" if complete == 1 else f"{complete:,} complete rows"


def dataset_of_table(origin: str, table: Table) -> Dataset:
    """Return the complete rows of a table with a target.

    Args:
        origin: what messages call the table.
        table: a table that was read with a target.

    Raises:
        DataError: the table has fewer than two complete rows, or a constant target.
    """
    assert table.target_name is not None
    if table.target is None or len(table.target) < 2:
        raise DataError(f"{origin}: has {rows_in_words(len(table.features))}, expected at least 2")
    if (table.target == table.target[0]).all():
        raise DataError(
            f"{origin}: the target {table.target_name!r} is {table.target[0]:g} in every row; there is nothing to fit"
        )
    return Dataset(
        features=table.features,
        target=table.target,
        feature_names=table.feature_names,
        target_name=table.target_name,
        table=table,
        sha256=table.sha256,
    )


def split(dataset: Dataset, fractions: tuple[float, ...], *, shuffle_seed: int | None) -> Parts:
    """Split a dataset into parts; the first rows are for training and the last for testing.

    Args:
        dataset: the dataset to split.
        fractions: as `linreg.split_text.parse_split` returns them.
        shuffle_seed: seed with which the rows are shuffled first; None keeps their order.

    Raises:
        DataError: a part would have no rows, or the training part's target is constant.
    """
    rows = len(dataset.target)
    order = np.arange(rows) if shuffle_seed is None else np.random.default_rng(shuffle_seed).permutation(rows)
    # The tiny summand offsets the rounding of a sum such as 0.7 + 0.15.
    ends = [int(fraction * rows + 1e-6) for fraction in np.cumsum(fractions)[:-1]]
    pieces = np.split(order, ends)
    if min(len(piece) for piece in pieces) == 0:
        sizes = "/".join(str(len(piece)) for piece in pieces)
        raise DataError(f"--split: {rows} rows give parts of {sizes} rows; choose other fractions, or --split 1")
    parts = [Part(features=dataset.features[piece], target=dataset.target[piece]) for piece in pieces]
    if (parts[0].target == parts[0].target[0]).all() and dataset.table is not None:
        raise DataError(
            f"the target {dataset.target_name!r} is constant in the training part; use another --seed or --split"
        )
    return Parts(
        train=parts[0], validation=parts[1] if len(parts) == 3 else None, test=parts[-1] if len(parts) > 1 else None
    )


def fit_scaler(train: Part, *, centre: bool) -> Scaler:
    """Return the mean and standard deviation of each column; without `centre` (a model with no bias) the means are 0.

    Raises:
        DataError: a sum of the values' squares overflows float64.
    """
    with np.errstate(over="ignore", invalid="ignore"):
        mean = train.features.mean(axis=0) if centre else np.zeros(train.features.shape[1])
        scale = _root_mean_square(train.features - mean)
        target_mean = float(train.target.mean()) if centre else 0.0
        target_scale = float(_root_mean_square((train.target - target_mean)[:, None])[0])
    return scaler_from(
        np.append(mean, target_mean),
        np.append(scale, target_scale),
        low=train.features.min(axis=0),
        high=train.features.max(axis=0),
        centre=centre,
    )


def scaler_from(mean: Array, scale: Array, *, low: Array, high: Array, centre: bool) -> Scaler:
    """Return a scaler of columns whose means and scales are known.

    Args:
        mean: the mean of each feature, then of the target; 0 without `centre`.
        scale: the standard deviation of each, or the root mean square without `centre`.
        low: least value of each feature.
        high: largest value of each feature.
        centre: whether the columns are centred.

    Raises:
        DataError: the square of a scale overflows float64.
    """
    with np.errstate(over="ignore", invalid="ignore"):
        square = np.square(scale)
        constant = high - low <= 4 * np.finfo(np.float64).eps * np.maximum(np.abs(low), np.abs(high))
    if not np.isfinite(square).all():
        raise DataError("values are so large that their standard deviation overflows float64; rescale the columns")
    return Scaler(
        feature_mean=mean[:-1],
        feature_scale=np.where(constant if centre else scale[:-1] == 0, np.inf, scale[:-1]),
        target_mean=float(mean[-1]),
        target_scale=float(scale[-1]) or 1.0,
    )


def _root_mean_square(values: Array) -> Array:
    """Return the root mean square of each column.

    It is right even for values such as 1e-200, whose squares underflow to 0.
    """
    exponents = np.frexp(np.abs(values).max(axis=0))[1]
    unit = np.ldexp(1.0, exponents - 1)  # a power of two: dividing by it rounds nothing
    root: Array = unit * np.sqrt(((values / unit) ** 2).mean(axis=0))
    return root
