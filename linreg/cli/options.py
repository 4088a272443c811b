"""Options that several commands share, and functions that refuse options which do not apply."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer

from linreg.errors import LinregError

Model = Annotated[
    Path | None,
    typer.Option(
        "--model",
        "-m",
        help="Bundle or .pth file. Default: artifacts/linreg, trained first if it does not exist.",
        rich_help_panel="Model",
    ),
]
ExistingModel = Annotated[
    Path | None,
    typer.Option(
        "--model", "-m", help="Bundle or .pth file. Default: artifacts/linreg, if it exists.", rich_help_panel="Model"
    ),
]
Json = Annotated[
    bool, typer.Option("--json", help="Print one JSON object on stdout instead of tables.", rich_help_panel="Output")
]
Force = Annotated[
    bool,
    typer.Option("--force", help="Overwrite files that the bundle's manifest does not list.", rich_help_panel="Output"),
]
Wait = Annotated[
    bool,
    typer.Option(
        "--wait",
        help="If another linreg command is writing to the same folder, wait instead of failing.",
        rich_help_panel="Output",
    ),
]
Workers = Annotated[
    int | None,
    typer.Option(
        min=1,
        max=1024,
        help="Threads, or processes on Ray, that read and compute; no number changes a byte of the result. "
        "Default: all cores.",
        rich_help_panel="Resources",
    ),
]


@contextmanager
def usage_errors(prefix: str = "") -> Iterator[None]:
    """Turn a LinregError into a usage error, without `prefix`, which typer adds itself."""
    try:
        yield
    except LinregError as error:
        raise typer.BadParameter(str(error).removeprefix(prefix)) from None


def _input_text(text: str) -> str:
    """Check the syntax of an `--input`, and return it unchanged."""
    from export.source.input_text import split_input

    with usage_errors("--input: "):
        split_input(text)
    return text


def _argument(text: str) -> str:
    """Check the syntax of an `--arg`, and return it unchanged."""
    from export.source.factory import parse_argument

    with usage_errors("--arg: "):
        parse_argument(text)
    return text


MODULE_PANEL = "Your own module"
InputsOption = Annotated[
    list[str] | None,
    typer.Option(
        "--inputs",
        metavar="FILE",
        rich_help_panel=MODULE_PANEL,
        help="Your own inputs of --module: an .npz with arrays by argument, an .npy, a .pt, or FILE.py:NAME of a "
        "function that gives them; may be repeated. Default: make_inputs in the file of --module, if it has one.",
    ),
]
OF_MODULE = ("arguments", "state_dict", "inputs", "inputs_from")
WITHOUT_MODULE = "applies to your own module; name it: --module FILE.py:NAME"
NO_INPUTS = (
    "--module: describe its inputs with one --input for each argument, such as x=float32[batch,16], or give your own: "
    "--inputs batch.npz"
)

ModuleOption = Annotated[
    str | None,
    typer.Option(
        "--module",
        metavar="FILE.py:NAME",
        rich_help_panel=MODULE_PANEL,
        help="Your own module, or a function that returns one; package.module:NAME if it can be imported. The code is "
        "executed, so use only code you trust.",
    ),
]
ArgOption = Annotated[
    list[str] | None,
    typer.Option(
        "--arg",
        metavar="NAME=VALUE",
        parser=_argument,
        rich_help_panel=MODULE_PANEL,
        help="Argument of the function or class of --module, in JSON or as plain text; may be repeated.",
    ),
]
StateDictOption = Annotated[
    Path | None,
    typer.Option(
        "--state-dict",
        rich_help_panel=MODULE_PANEL,
        help="Parameters for --module: a state_dict of torch.save or safetensors.",
    ),
]
InputOption = Annotated[
    list[str] | None,
    typer.Option(
        "--input",
        metavar="NAME=DTYPE[AXIS,..]",
        parser=_input_text,
        rich_help_panel=MODULE_PANEL,
        help="Input of --module, such as x=float32[batch,16] or x=float32[batch,3,h:32..512*32,w]; a name is a dynamic "
        "axis. Once for each tensor that forward takes: state.0=... is a part of a tuple, batch.ids=... of a dict.",
    ),
]


def given(context: typer.Context) -> set[str]:
    """Return the Python names of the parameters that were given on the command line."""
    names = {parameter.name for parameter in context.command.params if parameter.name}
    return {name for name in names if getattr(context.get_parameter_source(name), "name", "") == "COMMANDLINE"}


def refuse(context: typer.Context, names: Iterable[str], why: str) -> None:
    """Refuse options that would have no effect: an option either applies or is an error.

    Args:
        context: context of the command.
        names: Python names of the parameters.
        why: the rest of the message, after the name of the option.

    Raises:
        typer.BadParameter: one of these options was given.
    """
    found = given(context)
    for name in names:
        if name in found:
            option = next(parameter for parameter in context.command.params if parameter.name == name)
            raise typer.BadParameter(f"{max(option.opts, key=len)} {why}")


def refuse_empty(context: typer.Context, names: Iterable[str]) -> None:
    """Refuse empty values, such as those of unset shell variables, instead of using the default.

    Raises:
        typer.BadParameter: an empty value was given.
    """
    empty = [name for name in names if name in given(context) and not context.params[name]]
    refuse(context, empty, "got an empty value, expected a name; is a shell variable unset?")
