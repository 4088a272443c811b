"""Turn the arguments of `linreg.fit` into data and settings, and refuse those that do not apply."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

from linreg.arguments import as_names, as_texts, check_name, refuse
from linreg.arrays import stream_of_arrays
from linreg.config import LINE_DEFAULTS, OF_DESCENT, TABLE_DEFAULTS, LineSettings, Method, TrainSettings
from linreg.data import Dataset
from linreg.engines.choice import check_parquet_files
from linreg.errors import DataError, LinregError
from linreg.reading.arrays_stream import ArraysStream
from linreg.reading.arrow_columns import ArrowStream, arrow_table
from linreg.reading.options import AS_USUAL, with_options
from linreg.reading.stream import TableStream, open_stream


def source_of(
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


def settings_of(line: LineSettings | None, **options: Any) -> TrainSettings:
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


def check_distributable(source: Dataset | TableStream | ArraysStream, settings: TrainSettings) -> None:
    """Check that a Ray cluster can fit this.

    Raises:
        LinregError: the method is not exact, or the data are not in Parquet files.
    """
    if settings.method is not Method.EXACT:
        raise LinregError(f"--engine ray fits with --method exact, and the method is {settings.method}; leave one out")
    check_parquet_files(source, getattr(source, "origin", "the data"))
