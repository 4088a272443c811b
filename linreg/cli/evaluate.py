"""`linreg evaluate`: R2, RMSE and MAE of a model."""

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from linreg.cli.bundle import open_existing
from linreg.cli.cold_start import prepare_for_tables
from linreg.cli.options import ExistingModel, Json, Workers
from linreg.cli.results import show_metrics
from linreg.cli.rows import metrics_of_rows
from linreg.cli.terminal import print_json

NAME = "evaluate"
SUMMARY = "Show R2, RMSE and MAE of a model."
EXAMPLES = ("linreg evaluate penguins.csv -m penguins", "linreg evaluate -m line --json")


def run(
    table: Annotated[
        Path | None,
        typer.Argument(
            help="CSV or Parquet file with the model's columns. Default: the line the model was trained on."
        ),
    ] = None,
    model: ExistingModel = None,
    workers: Workers = None,
    as_json: Json = False,
) -> None:
    """Show R2, RMSE and MAE for each part of the training data, or for all rows of another table."""
    if table is not None:
        prepare_for_tables()
    checkpoint = open_existing(model, table)
    metrics = {name: asdict(part) for name, part in metrics_of_rows(checkpoint, table, workers).items()}
    if as_json:
        print_json({"model": str(checkpoint.path), "metrics": metrics})
    else:
        show_metrics(metrics)
