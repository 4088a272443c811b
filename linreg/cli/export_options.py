"""The options of `linreg export`."""

from pathlib import Path
from typing import Annotated, NamedTuple

import typer

from export.formats.names import OPSETS, FormatChoice
from export.precision import ExportPrecision
from export.proof.budget import parse_budget
from export.source.fixing import parse_static
from linreg.cli.options import usage_errors

MODEL, GRAPH, OUTPUT = "Model", "Graph", "Output"


class Names(tuple[str, ...]):
    """A list of names, written `a,b` on the command line."""

    __slots__ = ()


class Unit(NamedTuple):
    """The unit of a column."""

    column: str
    unit: str


def parse_names(text: str) -> Names:
    """Parse a list of names, written `a,b`.

    Raises:
        typer.BadParameter: a name is empty.
    """
    names = Names(name.strip() for name in text.split(","))
    if not all(names):
        raise typer.BadParameter(f"got {text!r}, expected names separated by commas: a,b")
    return names


def parse_unit(text: str) -> Unit:
    """Parse a column and its unit, written `COLUMN=UNIT`.

    Raises:
        typer.BadParameter: the column or the unit is missing.
    """
    column, _, unit = text.rpartition("=")
    if not column or not unit:
        raise typer.BadParameter(f"got {text!r}, expected COLUMN=UNIT such as body_mass_g=g")
    return Unit(column, unit)


def check_static(text: str) -> str:
    """Check the syntax of `--static`, and return it unchanged.

    Raises:
        typer.BadParameter: the text does not name axes.
    """
    with usage_errors("--static: "):
        parse_static(text)
    return text


def parse_seconds(text: str) -> float:
    """Parse a budget and return it in seconds.

    Raises:
        typer.BadParameter: the text is not a duration.
    """
    try:
        return parse_budget(text)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from None


Data = Annotated[Path | None, typer.Option(help="Also verify with the rows of this table.", rich_help_panel=MODEL)]
Units = Annotated[
    list[Unit] | None,
    typer.Option(
        parser=parse_unit,
        metavar="COLUMN=UNIT",
        help="Unit of a column for the metadata, such as body_mass_g=g; may be repeated.",
        rich_help_panel=MODEL,
    ),
]
Budget = Annotated[
    float | None,
    typer.Option(
        parser=parse_seconds,
        metavar="TIME",
        help="Time to prove each file of a module that is not affine: 60s, 2m, or all for every case. What was not "
        "tried is listed. Default: as long as its export took, at least 10s.",
        rich_help_panel=OUTPUT,
    ),
]
KeepInputs = Annotated[
    bool,
    typer.Option(
        "--keep-inputs",
        help="Add your own inputs to the test vectors of the bundle, which others may read.",
        rich_help_panel=OUTPUT,
    ),
]
Dtype = Annotated[
    ExportPrecision | None,
    typer.Option(
        help="Data type of the parameters; becomes part of the file names. Default: the model's dtype.",
        rich_help_panel=GRAPH,
    ),
]
Static = Annotated[
    str | None,
    typer.Option(
        "--static",
        parser=check_static,
        metavar="[AXIS[=SIZE],..]",
        help="Fix all dynamic axes, or those named: --static, --static h, --static h=224,w=224. Without a size: the "
        "smallest of its range; the batch: 1.",
        rich_help_panel=GRAPH,
    ),
]
Opset = Annotated[
    int | None,
    typer.Option(help="ONNX opset version. Default: 18.", min=OPSETS[0], max=OPSETS[-1], rich_help_panel=GRAPH),
]
Prefix = Annotated[
    str | None, typer.Option(help="Prefix for generated C identifiers. Default: linreg.", rich_help_panel=GRAPH)
]
InputNames = Annotated[
    Names | None,
    typer.Option(
        parser=parse_names,
        metavar="NAMES",
        help="Names of the graph's inputs: a,b. Default: those given in --input; input for a trained model.",
        rich_help_panel=GRAPH,
    ),
]
OutputNames = Annotated[
    Names | None,
    typer.Option(
        parser=parse_names,
        metavar="NAMES",
        help="Names of the graph's outputs: a,b. Default: output, or the keys of a dict.",
        rich_help_panel=GRAPH,
    ),
]
Formats = Annotated[
    list[FormatChoice] | None,
    typer.Option(
        "--format",
        "-f",
        help="Format to write; may be repeated. c, js and sql are source code of a linear model or a small "
        "feed-forward network, verified with the C compiler, Node.js or SQLite of this machine. all: every format; a "
        "note says which of c, js and sql cannot be written or verified. Default: onnx.",
        rich_help_panel=OUTPUT,
    ),
]
Output = Annotated[
    Path | None,
    typer.Option("--output", "-o", help="Bundle to write to. Default: the model's bundle.", rich_help_panel=OUTPUT),
]
