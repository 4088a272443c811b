"""`linreg evaluate`: R2, RMSE and MAE of a model."""

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from linreg.cli.bundle import open_existing
from linreg.cli.cold_start import prepare_for_tables
from linreg.cli.options import ExistingModel, Json, Workers
from linreg.cli.results import show_metrics
from linreg.cli.rows import metrics_of_rows, read_before
from linreg.cli.table_options import PLACES, Decimal, Delimiter, Missing, Thousands, read_options, refuse_table_options
from linreg.cli.terminal import print_json

NAME = "evaluate"
SUMMARY = "Show R2, RMSE and MAE of a model."
EXAMPLES = ("linreg evaluate penguins.csv -m penguins", "linreg evaluate -m line --json")


def run(
    context: typer.Context,
    table: Annotated[
        str | None,
        typer.Argument(help=f"Table with the model's columns: {PLACES}. Default: the line the model was trained on."),
    ] = None,
    model: ExistingModel = None,
    decimal: Decimal = None,
    thousands: Thousands = None,
    delimiter: Delimiter = None,
    missing: Missing = None,
    workers: Workers = None,
    as_json: Json = False,
) -> None:
    """Show R2, RMSE and MAE for each part of the training data, or for all rows of another table."""
    if table is None:
        refuse_table_options(context, "the line that the model was trained on")
    else:
        prepare_for_tables()
    checkpoint = open_existing(model, None if table is None else Path(table))
    how = read_options(decimal, thousands, delimiter, missing, before=read_before(checkpoint))
    metrics = {name: asdict(part) for name, part in metrics_of_rows(checkpoint, table, workers, how).items()}
    if as_json:
        print_json({"model": str(checkpoint.path), "metrics": metrics})
    else:
        show_metrics(metrics)
