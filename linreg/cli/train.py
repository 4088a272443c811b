"""`linreg train`: fit a model to the straight line or to a table, and save it as a bundle."""

import csv
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from linreg.cli.options import Json, Wait
from linreg.cli.results import show_card, show_left_out
from linreg.cli.terminal import note, print_json, say_waiting, stages
from linreg.cli.train_usage import check_usage
from linreg.config import (
    DEFAULT_BUNDLE,
    DEFAULT_SPLIT,
    LINE_DEFAULTS,
    Architecture,
    DeviceChoice,
    Loss,
    Method,
    Precision,
)
from linreg.errors import DataError, LinregError

if TYPE_CHECKING:
    from linreg.data import Dataset
    from linreg.fitted import FittedModel

NAME = "train"
SUMMARY = "Fit a model to the straight line or to a table."
EXAMPLES = (
    "linreg train penguins.csv --target body_mass_g -o penguins",
    "linreg train --method adam --epochs 500 --lr 0.05 -o line",
)
INTERRUPTED = 130


def parse_names(text: str) -> tuple[str, ...]:
    """The column names of `a,b,c`; a name that holds a comma stands in double quotes.

    Raises:
        typer.BadParameter: one is empty.
    """
    names = tuple(name.strip() for name in next(csv.reader([text], skipinitialspace=True), []))
    if not names or not all(names):
        raise typer.BadParameter(f"got {text!r}, expected column names with commas between: a,b,c")
    return names


def check_split(text: str) -> str:
    """The same text, once it is known to be a split.

    Raises:
        typer.BadParameter: it is none.
    """
    from linreg.split_text import parse_split

    try:
        parse_split(text)
    except DataError as error:
        raise typer.BadParameter(str(error).removeprefix("--split: ")) from None
    return text


class _InterruptedError(LinregError):
    """Training was interrupted before anything was written."""

    exit_code = INTERRUPTED


def run(
    context: typer.Context,
    table: Annotated[
        Path | None, typer.Argument(help="CSV (also gzip) or Parquet file. Default: the straight line.")
    ] = None,
    target: Annotated[
        str | None, typer.Option(help="Column to predict. Required with a table.", rich_help_panel="Data")
    ] = None,
    features: Annotated[
        Any,
        typer.Option(
            parser=parse_names,
            metavar="<a,b,c>",
            help="Columns to predict from. Default: every other numeric column.",
            rich_help_panel="Data",
        ),
    ] = None,
    split: Annotated[
        Any,
        typer.Option(
            parser=check_split,
            metavar="<fractions>",
            help=f"Fraction of rows to train on, train/validation/test such as 0.7/0.15/0.15, or 1. "
            f"Default: {DEFAULT_SPLIT}.",
            rich_help_panel="Data",
        ),
    ] = None,
    no_shuffle: Annotated[
        bool, typer.Option("--no-shuffle", help="Keep the order of a table's rows.", rich_help_panel="Data")
    ] = False,
    weight: Annotated[
        float | None, typer.Option(help="Slope of the line. Default: 0.7.", rich_help_panel="Line")
    ] = None,
    bias_value: Annotated[
        float | None, typer.Option("--bias", help="Intercept of the line. Default: 0.3.", rich_help_panel="Line")
    ] = None,
    start: Annotated[float | None, typer.Option(help="First x. Default: 0.", rich_help_panel="Line")] = None,
    end: Annotated[
        float | None, typer.Option(help="Upper limit of x, exclusive. Default: 1.", rich_help_panel="Line")
    ] = None,
    step: Annotated[
        float | None, typer.Option(help="Distance between two x. Default: 0.02.", rich_help_panel="Line")
    ] = None,
    architecture: Annotated[
        Architecture,
        typer.Option(
            help="linear is an nn.Linear; parameter is two nn.Parameter, for one feature.", rich_help_panel="Model"
        ),
    ] = Architecture.LINEAR,
    no_bias: Annotated[
        bool, typer.Option("--no-bias", help="Fit a model without a bias.", rich_help_panel="Model")
    ] = False,
    dtype: Annotated[
        Precision, typer.Option(help="Data type of the parameters.", rich_help_panel="Model")
    ] = Precision.FLOAT32,
    method: Annotated[
        Method | None,
        typer.Option(
            help="Least squares (exact) or an optimizer. Default: sgd for the line, exact for a table.",
            rich_help_panel="Optimisation",
        ),
    ] = None,
    loss: Annotated[
        Loss | None,
        typer.Option(
            help="Loss to minimise. Default: l1 for the line, mse for a table.", rich_help_panel="Optimisation"
        ),
    ] = None,
    lr: Annotated[
        float | None,
        typer.Option(help="Learning rate. Default: 0.01; 1 for lbfgs.", rich_help_panel="Optimisation"),
    ] = None,
    epochs: Annotated[
        int | None,
        typer.Option(
            help=f"Passes over the training rows. Default: {LINE_DEFAULTS.epochs}.", rich_help_panel="Optimisation"
        ),
    ] = None,
    batch_size: Annotated[
        int | None, typer.Option(help="Batch size. Default: all rows.", rich_help_panel="Optimisation")
    ] = None,
    test_every: Annotated[
        int | None,
        typer.Option(
            help=f"Epochs between two rows of the loss history. Default: {LINE_DEFAULTS.test_every}.",
            rich_help_panel="Optimisation",
        ),
    ] = None,
    seed: Annotated[
        int | None,
        typer.Option(
            help=f"Seed of initial parameters, shuffle and batches. Default: {LINE_DEFAULTS.seed}.",
            rich_help_panel="Optimisation",
        ),
    ] = None,
    device: Annotated[
        DeviceChoice | None,
        typer.Option(
            help="Device to train on; auto is CUDA if available. Default: auto.", rich_help_panel="Optimisation"
        ),
    ] = None,
    allow_collinear: Annotated[
        bool,
        typer.Option(
            "--allow-collinear",
            help="Take the minimum-norm solution if columns are collinear (method exact).",
            rich_help_panel="Optimisation",
        ),
    ] = False,
    keep_on_interrupt: Annotated[
        bool,
        typer.Option(
            "--keep-on-interrupt",
            help="On Ctrl-C, save the parameters with the lowest train loss so far.",
            rich_help_panel="Optimisation",
        ),
    ] = False,
    output: Annotated[
        Path, typer.Option("--output", "-o", help="Bundle to write, a folder.", rich_help_panel="Output")
    ] = DEFAULT_BUNDLE,
    force: Annotated[
        bool,
        typer.Option(
            "--force",
            help="Overwrite a bundle that holds exported files; they are removed.",
            rich_help_panel="Output",
        ),
    ] = False,
    wait: Wait = False,
    as_json: Json = False,
) -> None:
    """Fit a model to the straight line (the course's recipe) or to a table (exact least squares), and save it."""
    line = {"weight": weight, "bias": bias_value, "start": start, "end": end, "step": step}
    options: dict[str, Any] = {
        "architecture": architecture,
        "bias": not no_bias,
        "dtype": dtype,
        "method": method,
        "loss": loss,
        "lr": lr,
        "epochs": epochs,
        "batch_size": batch_size,
        "test_every": test_every,
        "seed": seed,
        "device": device,
        "allow_collinear": allow_collinear,
    }
    check_usage(context, table, options)

    from linreg.fitting import fit
    from linreg.saving import replacing

    with replacing(output, command="linreg train", force=force, wait=wait, on_wait=say_waiting) as changes:
        dataset = _line(line, dtype) if table is None else _read(table, target, features)
        try:
            with stages() as progress:
                model = fit(
                    dataset,
                    **options,
                    split=split or DEFAULT_SPLIT,
                    shuffle=table is not None and not no_shuffle,
                    keep_on_interrupt=keep_on_interrupt,
                    progress=progress,
                )
        except KeyboardInterrupt:
            raise _InterruptedError(
                "nothing was written; with a gradient method, --keep-on-interrupt saves the best parameters so far"
            ) from None
        for warning in model.warnings:
            note(f"warning: {warning}")
        if model.interrupted_at is not None:
            note(f"interrupted at epoch {model.interrupted_at}: saving the parameters with the lowest train loss")
        model.stage(changes)
        changes.commit()
    _show(model, output, as_json=as_json)
    if model.interrupted_at is not None:
        raise typer.Exit(INTERRUPTED)


def _line(settings: dict[str, float | None], dtype: Precision) -> "Dataset":
    from linreg.fitting import straight_line

    return straight_line(**{name: value for name, value in settings.items() if value is not None}, dtype=dtype)


def _read(table: Path, target: str | None, features: tuple[str, ...] | None) -> "Dataset":
    """Read a table, and say which columns are used and which are left out.

    Raises:
        typer.BadParameter: no target was named.
    """
    from linreg.column_names import listed
    from linreg.data import read_dataset

    if target is None:
        raise typer.BadParameter(f"{table}: which column is to be predicted? name it with --target")
    dataset = read_dataset(table, features=features, target=target)
    assert dataset.table is not None
    note(f"{table}: {target!r} from {listed(dataset.feature_names)}")
    show_left_out(dataset.table.left_out)
    for text in dataset.table.notes:
        note(f"note: {text}")
    return dataset


def _show(model: "FittedModel", output: Path, *, as_json: bool) -> None:
    assert model.card is not None
    if not as_json:
        show_card(model.card, output)
        return
    coefficients = [asdict(coefficient) for coefficient in model.coefficients]
    left_out = {"left_out": [asdict(column) for column in model.left_out]} if model.card.data["kind"] == "table" else {}
    print_json({"bundle": str(output), **asdict(model.card), "coefficients": coefficients, **left_out})
