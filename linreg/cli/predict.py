"""`linreg predict`: predict every row of a table with a bundle, a .pth or an .onnx file."""

import io
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from linreg.cli.bundle import find_existing
from linreg.cli.options import ExistingModel
from linreg.cli.terminal import note, print_csv, stages
from linreg.errors import LinregError, ModelError

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa
    from numpy.typing import NDArray

    from linreg.predictions import Predict

NAME = "predict"
SUMMARY = "Predict every row of a table."
EXAMPLES = (
    "linreg predict penguins.csv -m penguins -o predictions.csv",
    "linreg predict penguins.csv -m penguins/model.onnx > predictions.csv",
)
ROWS_PER_STEP = 2**18
"""Rows between two updates of the progress bar; shorter tables show none."""


def run(
    table: Annotated[Path, typer.Argument(help="CSV (plain or gzip) or Parquet file with the model's features.")],
    model: ExistingModel = None,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", help="CSV file to write. Default: stdout.", rich_help_panel="Output"),
    ] = None,
    force: Annotated[
        bool, typer.Option("--force", help="Overwrite the output file.", rich_help_panel="Output")
    ] = False,
) -> None:
    """Write each row's features and prediction as CSV. Columns are matched by name.

    A row with a missing value keeps its place and gets no prediction. With -m model.onnx, torch is not needed.
    """
    if output is not None:
        _check_output(output, table)
    elif force:
        raise typer.BadParameter("--force needs an output file; add -o FILE, or omit --force")
    path = find_existing(model, table)

    from linreg.predictions import predict_table
    from linreg.tables import read_table

    features, target, predict = _onnx(path) if path.suffix == ".onnx" else _torch(path)
    rows = read_table(table, features=features, target=None)
    for text in rows.notes:
        note(f"note: {text.replace('are left out', 'get no prediction')}")
    predicted = predict_table(str(table), rows, lambda features: _in_steps(predict, features))
    data = _csv(features, f"predicted_{target}", rows.values, predicted)
    if output is None:
        print_csv(data)
    else:
        _write(output, data, len(predicted) - predicted.null_count, force=force)


def _in_steps(predict: "Predict", rows: "NDArray[np.float64]") -> "NDArray[Any]":
    """Predict a long table in steps, and show how many rows are done."""
    if len(rows) <= ROWS_PER_STEP:
        return predict(rows)
    import numpy as np

    steps = []
    with stages() as progress:
        for start in range(0, len(rows), ROWS_PER_STEP):
            steps.append(predict(rows[start : start + ROWS_PER_STEP]))
            progress("rows", min(start + ROWS_PER_STEP, len(rows)), len(rows))
    return np.concatenate(steps)


def _write(output: Path, data: bytes, predictions: int, *, force: bool) -> None:
    """Write the predictions, unless the file already holds them.

    This lets the user repeat an interrupted command.

    Raises:
        LinregError: the file exists with other contents, or cannot be written.
    """
    from linreg.files import read_bytes, write_atomic

    _check_regular(output)
    if output.exists() and not force:
        if output.stat().st_size != len(data) or read_bytes(output, limit=len(data)) != data:
            raise LinregError(
                f"{output}: already exists with other contents; use --force to overwrite it, or another -o"
            )
        note(f"{predictions} predictions: {output} (already up to date)")
        return
    write_atomic(output, data)
    note(f"{predictions} predictions: {output}")


def _check_regular(output: Path) -> None:
    if output.is_symlink():
        raise LinregError(
            f"{output}: is a symbolic link, which is not followed; name the target file with -o, or remove the link"
        )
    if output.exists() and not output.is_file():
        raise LinregError(f"{output}: is not a regular file, expected a CSV file; omit -o to write to stdout")


def _check_output(output: Path, table: Path) -> None:
    """Check, before predicting, that the predictions can be written.

    Raises:
        LinregError: the output file cannot be written.
        typer.BadParameter: the file name does not end in .csv.
    """
    from linreg.folders import ensure_folder

    _check_regular(output)
    if output.exists() and table.exists() and output.samefile(table):
        raise LinregError(f"{output}: is the table itself, which is never overwritten; choose another -o")
    if output.suffix.lower() != ".csv":
        raise typer.BadParameter(
            f"--output: got {output}, expected a name that ends in .csv, since predictions are written as CSV; "
            f"use -o {output.with_suffix('.csv') if output.name else 'predictions.csv'}, or omit -o"
        )
    ensure_folder(output.parent)


def _torch(path: Path) -> "tuple[tuple[str, ...], str, Predict]":
    from linreg.checkpoint import load
    from linreg.inference import predict

    checkpoint = load(path)
    if checkpoint.card is None:
        raise ModelError(f"{path}: has no card.json, so its columns have no names; use a bundle made by linreg train")
    return checkpoint.card.features, checkpoint.card.target, lambda rows: predict(checkpoint.model, rows)


def _onnx(path: Path) -> "tuple[tuple[str, ...], str, Predict]":
    from export.runners.deployed import OnnxModel
    from linreg.changes import read_settled

    model = read_settled(path.parent, lambda: OnnxModel.open(path))
    return model.features, model.target, model.predict


def _csv(names: tuple[str, ...], predicted_name: str, values: "NDArray[np.float64]", predicted: "pa.Array") -> bytes:
    """Return a CSV of all rows, with their values and predictions.

    Missing values, and predictions that depend on them, are empty cells.
    """
    import pyarrow as pa
    from pyarrow import csv

    columns = [*(pa.array(column, from_pandas=True) for column in values.T), predicted]
    # A spreadsheet would evaluate a header that begins with one of these characters as a formula.
    header = [f"'{name}" if name[:1] in "=+-@\t\r" else name for name in (*names, predicted_name)]
    buffer = io.BytesIO()
    csv.write_csv(
        pa.Table.from_arrays(columns, names=header),
        buffer,
        csv.WriteOptions(quoting_style="needed", quoting_header="needed"),
    )
    return buffer.getvalue()
