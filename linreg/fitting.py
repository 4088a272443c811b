"""`linreg.fit` fits a linear model to data in any form; `linreg.straight_line` makes the example data set."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict, fields, replace
from pathlib import Path
from typing import Any

from linreg import data as datasets
from linreg.arguments import as_choice, as_names, as_texts, check_name, check_numbers, refuse
from linreg.arrays import stream_of_arrays
from linreg.card import ranges_of
from linreg.config import (
    DEFAULT_MEMORY,
    DEFAULT_SPLIT,
    LINE_DEFAULTS,
    OF_DESCENT,
    TABLE_DEFAULTS,
    Architecture,
    DeviceChoice,
    Engine,
    LineSettings,
    Loss,
    Method,
    Precision,
    TrainSettings,
)
from linreg.data import Dataset
from linreg.engines import threads
from linreg.engines.choice import check_parquet_files, running
from linreg.errors import DataError, LinregError
from linreg.fitted import FittedModel
from linreg.in_python import in_python
from linreg.memory import parse_bytes, usable_cores
from linreg.problem import Problem, Progress, RowCount
from linreg.reading.arrays_stream import ArraysStream
from linreg.reading.arrow_columns import ArrowStream, arrow_table
from linreg.reading.held import held
from linreg.reading.options import AS_USUAL, with_options
from linreg.reading.stream import TableStream, open_stream
from linreg.split_text import parse_split, split_text
from linreg.table_fitting import TableFit, fit_table
from linreg.training import card_of
from linreg.training import fit as train

Array = Any
"""Whatever NumPy turns into an array, or a torch tensor. NumPy's own alias would fill a page of `help(linreg.fit)`."""

Data = str | os.PathLike[str] | ArrowStream | Mapping[str, Array] | tuple[Array, Array] | Dataset | TableStream


@in_python
def straight_line(
    *,
    weight: float = 0.7,
    bias: float = 0.3,
    start: float = 0.0,
    end: float = 1.0,
    step: float = 0.02,
    dtype: str = "float32",
) -> Dataset:
    """Return points of the line y = weight * x + bias, the example data set.

    Args:
        weight: slope of the line.
        bias: y at x = 0.
        start: first x.
        end: every x is below this.
        step: distance between one x and the next.
        dtype: the points are computed in "float32" or "float64"; `fit` computes them again in its own dtype.

    Raises:
        DataError: the numbers are not finite, or give no points or too many.

    Example:
        >>> linreg.straight_line(weight=2, bias=1)
        Dataset(50 rows, target 'y', features 'x')
    """
    check_numbers({"weight": weight, "bias": bias, "start": start, "end": end, "step": step})
    settings = LineSettings(weight=weight, bias=bias, start=start, end=end, step=step)
    return datasets.straight_line(settings, as_choice("dtype", Precision, dtype) or Precision.FLOAT32)


@in_python
def fit(
    data: Data,
    *,
    target: str | None = None,
    features: Sequence[str] | None = None,
    feature_names: Sequence[str] | None = None,
    decimal: str | None = None,
    thousands: str | None = None,
    delimiter: str | None = None,
    missing: str | Sequence[str] | None = None,
    method: str | None = None,
    loss: str | None = None,
    architecture: str = "linear",
    bias: bool = True,
    dtype: str = "float32",
    split: str | float | Sequence[float] = DEFAULT_SPLIT,
    shuffle: bool | None = None,
    seed: int | None = None,
    lr: float | None = None,
    epochs: int | None = None,
    batch_size: int | None = None,
    test_every: int | None = None,
    device: str | None = None,
    allow_collinear: bool = False,
    keep_on_interrupt: bool = False,
    workers: int | None = None,
    memory: str | int = DEFAULT_MEMORY,
    engine: str = "threads",
    address: str | None = None,
    progress: Progress | None = None,
) -> FittedModel:
    """Fit a linear model.

    Args:
        data: a CSV (also compressed) or Parquet file, a folder or pattern of them, or a URI such as "s3://...";
            a table in memory that exports an Arrow stream (pandas, polars, DuckDB, pyarrow) or a dict of its columns;
            a pair (X, y) of arrays, tensors or data frames of shapes (rows, features) and (rows,); or a Dataset of
            `linreg.straight_line`. The index of a pandas DataFrame is not a feature.
        target: the column to predict, required for a table; for (X, y) a name for y, by default its own name or "y".
        features: the columns of a table to predict from; None uses all numeric columns but the target.
        feature_names: the names of the columns of X; None uses those of a data frame, or else x0, x1, ...
        decimal: the decimal mark of numbers in text, "." (default) or ",".
        thousands: the sign between groups of three digits in text; with ".", the decimal mark is a comma.
        delimiter: the sign between the cells of a CSV. Default: ",".
        missing: words for a missing value, such as "?" or "-999", besides empty cells, NA and the like.
        method: "exact" (least squares in float64; default for tables and arrays), "sgd" (default for the line),
            "adam" or "lbfgs". The gradient methods standardise a table with its training part, and fold the scaling
            into weight and bias afterwards, so that every model takes raw features.
        loss: what a gradient method minimises: "l1" (default for the line), "mse" (default otherwise) or "huber".
        architecture: "linear" (nn.Linear), or "parameter" (two nn.Parameter, for one feature).
        bias: whether to fit a bias.
        dtype: dtype of the parameters, "float32" or "float64".
        split: the fraction of rows to train with, such as 0.8; the fractions for train, validation and test, such as
            (0.7, 0.15, 0.15); or 1 to train with all rows. "0.7/0.15/0.15", as on the command line, works as well.
        shuffle: whether to shuffle the rows before the split. Default: True, but the line always keeps its order.
        seed: seed of the initial parameters, the shuffle and the batches. Default: 42.
        lr: learning rate. Default: 0.01; lbfgs 1.
        epochs: passes over the training part. Default: 1000.
        batch_size: rows in each batch; required for a table above `memory`. Default: all rows. The batches of such a
            table are cut from its blocks of 65,536 rows in a random order, with the rows of each block in a random
            order. Otherwise they are drawn from all rows.
        test_every: epochs between two rows of the history. Default: 10.
        device: where a gradient method runs: "auto" (CUDA if available; the default), "cpu" or "cuda".
        allow_collinear: return the minimum-norm solution if columns are collinear ("exact" only).
        keep_on_interrupt: on KeyboardInterrupt, return the parameters with the lowest train loss so far.
        workers: threads that read and compute; no number changes a byte of the result. Default: all cores.
        memory: the numbers of a table up to this size, such as "2GB" or a number of bytes, are kept in memory. A larger
            table is read in every pass, from its files or from a temporary file, and gradient methods then need
            `batch_size`. Default: 256 MB.
        engine: where to compute: "threads" of this process, or worker processes of a "ray" cluster, which read Parquet
            files. The exact method gives the same bytes on both.
        address: the Ray cluster to join, "auto" or "host:port"; None starts a Ray with `workers` processes here, unless
            RAY_ADDRESS names a cluster.
        progress: called as progress("training", epochs done, epochs) after each epoch, and, for a table of more than
            262,144 rows, as progress(stage, rows done, rows) during each pass; rows is None if they are not counted.

    Raises:
        DataError: the data cannot be used: a column is missing, a value is not a finite number, ...
        TrainingError: the loss diverged, or columns are collinear.
        LinregError: an option has an unknown value, or does not apply.

    Example:
        >>> model = linreg.fit("penguins.csv", target="body_mass_g", features=["flipper_length_mm"])
        >>> model
        FittedModel('body_mass_g' from 1 feature, exact, test R2 0.7920)
        >>> linreg.fit(linreg.straight_line(weight=0.7, bias=0.3))
        FittedModel('y' from 1 feature, sgd, test R2 0.9999)
    """
    parted = split_text(split)
    check_numbers({"epochs": epochs, "batch_size": batch_size, "test_every": test_every, "seed": seed, "lr": lr})
    memory_bytes = parse_bytes("memory", memory)
    check_numbers({"workers": workers})
    if workers is not None and workers < 1:
        raise LinregError(f"workers: got {workers}, expected at least 1")
    cells = {"decimal": decimal, "thousands": thousands, "delimiter": delimiter, "missing": missing}
    source = _source(data, target, features, feature_names, cells)
    line = source.line if isinstance(source, Dataset) else None
    settings = _settings(
        line,
        method=as_choice("method", Method, method),
        loss=as_choice("loss", Loss, loss),
        architecture=as_choice("architecture", Architecture, architecture),
        bias=bias,
        dtype=as_choice("dtype", Precision, dtype),
        seed=seed,
        lr=lr,
        epochs=epochs,
        batch_size=batch_size,
        test_every=test_every,
        device=as_choice("device", DeviceChoice, device),
        allow_collinear=allow_collinear or None,
        keep_on_interrupt=keep_on_interrupt or None,
    )
    shuffled = line is None if shuffle is None else shuffle
    chosen = as_choice("engine", Engine, engine) or Engine.THREADS
    if chosen is Engine.RAY:
        _check_distributable(source, settings)
    else:
        refuse("it is that of a Ray cluster, and the engine is threads", address=address)
    if not isinstance(source, Dataset):
        stream = source
        if isinstance(source, TableStream) and chosen is Engine.THREADS:
            stream = _held(source, settings, memory_bytes, progress)
        with running(chosen, address, workers) as run:
            threads_used = usable_cores() if workers is None else workers
            problem = Problem(stream=stream, workers=threads_used, engine=run, progress=progress)
            fitted = fit_table(
                problem,
                settings,
                split=parted,
                shuffled=shuffled,
                memory_bytes=memory_bytes,
                keep_on_interrupt=keep_on_interrupt,
            )
        return _of_table(fitted)
    if shuffled:
        raise LinregError("shuffle: got True, but a straight line always keeps its order; leave it out")
    return _of_line(source, settings, split=parted, keep_on_interrupt=keep_on_interrupt, progress=progress)


def _check_distributable(source: Dataset | TableStream | ArraysStream, settings: TrainSettings) -> None:
    if settings.method is not Method.EXACT:
        raise LinregError(f"--engine ray fits with --method exact, and the method is {settings.method}; leave one out")
    check_parquet_files(source, getattr(source, "origin", "the data"))


def _held(stream: TableStream, settings: TrainSettings, memory_bytes: int, progress: Progress | None) -> TableStream:
    in_batches = settings.method is not Method.EXACT and settings.batch_size is not None
    count = RowCount(progress=progress, stage="reading", rows=stream.rows)
    return held(stream, memory_bytes, lambda block: count(block.start + len(block.values)), any_order=in_batches)


def _of_table(fitted: TableFit) -> FittedModel:
    stream = fitted.problem.stream
    read = stream if isinstance(stream, TableStream) else None
    return FittedModel(
        affine=fitted.fit.affine,
        card=fitted.card,
        warnings=fitted.fit.warnings,
        notes=read.notes if read else (),
        left_out=read.left_out if read else (),
        interrupted_at=fitted.fit.interrupted_at,
        fitted_to=replace(fitted.problem, engine=threads.run),
    )


def _of_line(
    dataset: Dataset, settings: TrainSettings, *, split: str, keep_on_interrupt: bool, progress: Progress | None
) -> FittedModel:
    assert dataset.line is not None
    dataset = datasets.straight_line(dataset.line, settings.dtype)
    parts = datasets.split(dataset, parse_split(split), shuffle_seed=None)
    result = train(
        dataset,
        parts,
        settings,
        progress=None if progress is None else lambda epoch, _loss: progress("training", epoch + 1, settings.epochs),
        keep_on_interrupt=keep_on_interrupt,
    )
    line = asdict(dataset.line) if dataset.line else {}
    x = dataset.features
    data = {
        "kind": "line",
        "line": line,
        "split": split,
        "shuffled": False,
        "sha256": dataset.sha256,
        "ranges": ranges_of(dataset.feature_names, x.min(axis=0), x.max(axis=0)),
    }
    return FittedModel(
        affine=result.affine,
        card=card_of(dataset.feature_names, dataset.target_name, data, settings, result),
        warnings=result.warnings,
        interrupted_at=result.interrupted_at,
        fitted_to=dict(parts.items()),
    )


def _source(
    data: Any,
    target: str | None,
    features: Sequence[str] | None,
    feature_names: Sequence[str] | None,
    cells: Mapping[str, Any],
) -> Dataset | TableStream | ArraysStream:
    """Return a straight line, or a table as a stream of blocks."""
    check_name("target", target)
    features, feature_names = as_names("features", features), as_names("feature_names", feature_names)
    if isinstance(data, Dataset | TableStream):
        what = "a Dataset" if isinstance(data, Dataset) else "an open table"
        refuse(
            f"{what} has its columns already", target=target, features=features, feature_names=feature_names, **cells
        )
        return data
    if isinstance(data, tuple):
        refuse("it chooses columns of a table; name those of X with feature_names", features=features)
        refuse("it says how the cells of a table are written, and these are arrays", **cells)
        if len(data) != 2:
            raise DataError(f"data: got a tuple of {len(data)}, expected (X, y)")
        return stream_of_arrays(*data, feature_names=feature_names, target_name=target)
    if isinstance(data, Mapping):
        data = arrow_table(data)
    if not isinstance(data, str | os.PathLike | ArrowStream):
        hint = "; pass two arrays as one pair: fit((X, y))" if hasattr(data, "__len__") else ""
        raise DataError(
            f"data: got {type(data).__name__}, expected a path, a table (pandas, polars, pyarrow), (X, y) or a "
            f"Dataset{hint}"
        )
    refuse("it names the columns of (X, y); choose those of a table with features", feature_names=feature_names)
    if target is None:
        raise DataError("target: a table needs it; name the column to predict")
    table = Path(data) if isinstance(data, os.PathLike) else data
    words = None if cells["missing"] is None else as_texts("missing", cells["missing"])
    how = with_options(AS_USUAL, **{**cells, "missing": words})
    return open_stream(table, features=features, target=target, how=how)


def _settings(line: LineSettings | None, **options: Any) -> TrainSettings:
    """Build the settings from the options that were given; None means that an option was not given."""
    given = {name: value for name, value in options.items() if value is not None}
    defaults = TABLE_DEFAULTS if line is None else LINE_DEFAULTS
    method = given.get("method", defaults.method)
    if method is Method.EXACT:
        why = "only a gradient method uses it; leave it out, or choose method sgd, adam or lbfgs"
        refuse(why, **{name: given.get(name) for name in OF_DESCENT})
    else:
        refuse(f"only the exact method uses it, and this is {method}", allow_collinear=given.get("allow_collinear"))
    known = {field.name for field in fields(TrainSettings)}
    return replace(defaults, **{name: value for name, value in given.items() if name in known})
