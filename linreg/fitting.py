"""`linreg.fit` fits a linear model to data in any form; `linreg.straight_line` makes the example data set."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from linreg import data as datasets
from linreg.arguments import as_choice, check_numbers, refuse
from linreg.config import (
    DEFAULT_MEMORY,
    DEFAULT_SPLIT,
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
from linreg.engines.choice import running
from linreg.errors import LinregError
from linreg.fit_arguments import check_distributable, settings_of, source_of
from linreg.fitted import FittedModel
from linreg.in_python import in_python
from linreg.line_fitting import fit_line
from linreg.memory import parse_bytes, usable_cores
from linreg.problem import Problem, Progress, RowCount
from linreg.reading.arrow_columns import ArrowStream
from linreg.reading.held import held
from linreg.reading.stream import TableStream
from linreg.split_text import split_text
from linreg.table_fitting import TableFit, fit_table

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
    source = source_of(data, target, features, feature_names, cells)
    line = source.line if isinstance(source, Dataset) else None
    settings = settings_of(
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
        check_distributable(source, settings)
    else:
        refuse("it is that of a Ray cluster, and the engine is threads", address=address)
    if settings.method is not Method.EXACT:
        import torch  # noqa: F401, if it is missing, no table needs to be read
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
    return fit_line(source, settings, split=parted, keep_on_interrupt=keep_on_interrupt, progress=progress)


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
