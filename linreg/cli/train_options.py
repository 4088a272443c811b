"""The options of `linreg train`."""

import csv
from pathlib import Path
from typing import Annotated, Any

import typer

from linreg.cli.table_options import PLACES
from linreg.config import (
    DEFAULT_BUNDLE,
    DEFAULT_MEMORY,
    DEFAULT_SPLIT,
    LINE_DEFAULTS,
    Architecture,
    DeviceChoice,
    Loss,
    Method,
    Precision,
)
from linreg.errors import DataError

DATA, LINE, MODEL, OPTIMISATION, RESOURCES, OUTPUT = "Data", "Line", "Model", "Optimisation", "Resources", "Output"


QUOTED = "a name with a comma in double quotes: '\"a,b\",c'"


def split_names(text: str) -> tuple[str, ...]:
    """Split column names, written `a,b,c`; a name that contains a comma must be in double quotes."""
    return tuple(name.strip() for name in next(csv.reader([text], skipinitialspace=True), []))


def parse_names(text: str) -> tuple[str, ...]:
    """Parse column names, as `split_names` does.

    Raises:
        typer.BadParameter: a name is empty.
    """
    names = split_names(text)
    if not names or not all(names):
        raise typer.BadParameter(f"got {text!r}, expected column names separated by commas: a,b,c")
    return names


def check_split(text: str) -> str:
    """Check the syntax of a split, and return it unchanged.

    Raises:
        typer.BadParameter: the text is not a split.
    """
    from linreg.split_text import parse_split

    try:
        parse_split(text)
    except DataError as error:
        raise typer.BadParameter(str(error).removeprefix("--split: ")) from None
    return text


def check_memory(text: str) -> str:
    """Check the syntax of a size, and return it unchanged.

    Raises:
        typer.BadParameter: the text is not a size.
    """
    from linreg.memory import parse_bytes

    try:
        parse_bytes("--memory", text)
    except DataError as error:
        raise typer.BadParameter(str(error).removeprefix("--memory: ")) from None
    return text


Table = Annotated[str | None, typer.Argument(help=f"Table: {PLACES}. Default: the straight line.")]
Target = Annotated[str | None, typer.Option(help="Column to predict. Required with a table.", rich_help_panel=DATA)]
Features = Annotated[
    Any,
    typer.Option(
        parser=parse_names,
        metavar="<a,b,c>",
        help=f"Columns to predict from; {QUOTED}. Default: every other numeric column.",
        rich_help_panel=DATA,
    ),
]
Split = Annotated[
    Any,
    typer.Option(
        parser=check_split,
        metavar="<fractions>",
        help=f"Fraction of rows to train on, or train/validation/test such as 0.7/0.15/0.15; 1 trains on all. "
        f"Default: {DEFAULT_SPLIT}.",
        rich_help_panel=DATA,
    ),
]
NoShuffle = Annotated[
    bool, typer.Option("--no-shuffle", help="Keep the order of a table's rows.", rich_help_panel=DATA)
]
Weight = Annotated[float | None, typer.Option(help="Slope of the line. Default: 0.7.", rich_help_panel=LINE)]
Bias = Annotated[
    float | None, typer.Option("--bias", help="Intercept of the line. Default: 0.3.", rich_help_panel=LINE)
]
Start = Annotated[float | None, typer.Option(help="First value of x. Default: 0.", rich_help_panel=LINE)]
End = Annotated[float | None, typer.Option(help="Upper limit of x, exclusive. Default: 1.", rich_help_panel=LINE)]
Step = Annotated[
    float | None, typer.Option(help="Distance between two values of x. Default: 0.02.", rich_help_panel=LINE)
]
ArchitectureOption = Annotated[
    Architecture,
    typer.Option(
        help="linear: nn.Linear. parameter: two nn.Parameter, for one feature. Default: linear.",
        show_default=False,
        rich_help_panel=MODEL,
    ),
]
NoBias = Annotated[bool, typer.Option("--no-bias", help="Fit a model without a bias.", rich_help_panel=MODEL)]
Dtype = Annotated[
    Precision,
    typer.Option(help="Data type of the parameters. Default: float32.", show_default=False, rich_help_panel=MODEL),
]
MethodOption = Annotated[
    Method | None,
    typer.Option(
        help="Least squares (exact) or an optimizer. Default: sgd for the line, exact for a table.",
        rich_help_panel=OPTIMISATION,
    ),
]
LossOption = Annotated[
    Loss | None,
    typer.Option(help="Loss to minimise. Default: l1 for the line, mse for a table.", rich_help_panel=OPTIMISATION),
]
LearningRate = Annotated[
    float | None,
    typer.Option(help="Learning rate. Default: 0.01; 1 for lbfgs.", rich_help_panel=OPTIMISATION),
]
Epochs = Annotated[
    int | None,
    typer.Option(help=f"Passes over the training rows. Default: {LINE_DEFAULTS.epochs}.", rich_help_panel=OPTIMISATION),
]
BatchSize = Annotated[
    int | None,
    typer.Option(help="Batch size. Default: all rows, if they fit into --memory.", rich_help_panel=OPTIMISATION),
]
TestEvery = Annotated[
    int | None,
    typer.Option(
        help=f"Record the loss every N epochs. Default: {LINE_DEFAULTS.test_every}.",
        rich_help_panel=OPTIMISATION,
    ),
]
Seed = Annotated[
    int | None,
    typer.Option(
        help=f"Seed of initial parameters, shuffle and batches. Default: {LINE_DEFAULTS.seed}.",
        rich_help_panel=OPTIMISATION,
    ),
]
Device = Annotated[
    DeviceChoice | None,
    typer.Option(help="Device to train on; auto is CUDA if available. Default: auto.", rich_help_panel=OPTIMISATION),
]
AllowCollinear = Annotated[
    bool,
    typer.Option(
        "--allow-collinear",
        help="Take the minimum-norm solution if columns are collinear; method exact only.",
        rich_help_panel=OPTIMISATION,
    ),
]
KeepOnInterrupt = Annotated[
    bool,
    typer.Option(
        "--keep-on-interrupt",
        help="On Ctrl-C, save the parameters with the lowest train loss so far.",
        rich_help_panel=OPTIMISATION,
    ),
]
Memory = Annotated[
    Any,
    typer.Option(
        parser=check_memory,
        metavar="<size>",
        help=f"Keep the numbers of a table up to this size in memory, such as 2GB; a larger table is read in every "
        f"pass, and gradient methods then need --batch-size. Default: {DEFAULT_MEMORY}.",
        rich_help_panel=RESOURCES,
    ),
]
Output = Annotated[
    Path,
    typer.Option(
        "--output",
        "-o",
        help=f"Bundle to write, a folder. Default: {DEFAULT_BUNDLE}.",
        show_default=False,
        rich_help_panel=OUTPUT,
    ),
]
Force = Annotated[
    bool,
    typer.Option(
        "--force",
        help="Overwrite a bundle that contains exported files, and remove them.",
        rich_help_panel=OUTPUT,
    ),
]
