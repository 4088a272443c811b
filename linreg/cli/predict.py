"""`linreg predict`: predict every row of a table with a bundle, a .pth or an .onnx file."""

import io
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from linreg.cli.bundle import find_existing
from linreg.cli.options import ExistingModel, refuse
from linreg.cli.predict_arrays import is_arrays, predict_arrays, refuse_table
from linreg.cli.predict_output import check_output, check_suffix, write_output
from linreg.cli.terminal import note, print_csv, stages
from linreg.errors import ModelError

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa
    from numpy.typing import NDArray

    from linreg.predictions import Predict

NAME = "predict"
SUMMARY = "Predict every row of a table, or run your own module on arrays."
EXAMPLES = (
    "linreg predict penguins.csv -m penguins -o predictions.csv",
    "linreg predict batch.npz -m net -o outputs.npz",
)
ROWS_PER_STEP = 2**18
"""Rows between two updates of the progress bar; shorter tables show none."""


def run(
    context: typer.Context,
    table: Annotated[
        Path,
        typer.Argument(
            help="CSV (plain or gzip) or Parquet file with the model's features; .npz or .npy for your own module."
        ),
    ],
    model: ExistingModel = None,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output", "-o", help="CSV file to write, or .npz for arrays. Default: stdout.", rich_help_panel="Output"
        ),
    ] = None,
    force: Annotated[
        bool, typer.Option("--force", help="Overwrite the output file.", rich_help_panel="Output")
    ] = False,
    trust: Annotated[
        bool,
        typer.Option(
            "--trust",
            help="Load a TorchScript or .pt2 file of a module that you did not export. Loading one runs its code.",
            rich_help_panel="Model",
        ),
    ] = False,
) -> None:
    """Write each row's features and prediction as CSV. Columns are matched by name.

    A row with a missing value keeps its place and gets no prediction. Torch is not needed.
    The bundle of your own module takes arrays by name in an .npz, and its outputs are written to another.
    """
    if is_arrays(table):
        predict_arrays(table, model, output, trust=trust, force=force)
        return
    refuse(context, ["trust"], "belongs to arrays in an .npz, for a module of your own; leave it out")
    if model is not None and model.exists():
        refuse_table(table, model)
    if output is not None:
        from linreg.folders import ensure_folder

        check_output(output, table)
        check_suffix(output, ".csv", ", or omit -o")
        ensure_folder(output.parent)
    elif force:
        raise typer.BadParameter("--force needs an output file; add -o FILE, or omit --force")
    path = find_existing(model, table)

    from linreg.predictions import predict_table
    from linreg.reading.tables import read_table

    features, target, predict = _onnx(path) if path.suffix == ".onnx" else _pth(path)
    rows = read_table(table, features=features, target=None)
    for text in rows.notes:
        note(f"note: {text.replace('are left out', 'get no prediction')}")
    predicted = predict_table(str(table), rows, lambda features: _in_steps(predict, features))
    data = _csv(features, f"predicted_{target}", rows.values, predicted)
    if output is None:
        print_csv(data)
    else:
        write_output(output, data, f"{len(predicted) - predicted.null_count} predictions", force=force)


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


def _pth(path: Path) -> "tuple[tuple[str, ...], str, Predict]":
    from linreg.affine import predict
    from linreg.checkpoint import load

    checkpoint = load(path)
    if checkpoint.card is None:
        raise ModelError(f"{path}: has no card.json, so its columns have no names; use a bundle made by linreg train")
    return checkpoint.card.features, checkpoint.card.target, lambda rows: predict(checkpoint.affine, rows)


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
