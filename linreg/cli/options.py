"""Options that several commands share, and how one that does not apply is refused."""

from collections.abc import Iterable
from pathlib import Path
from typing import Annotated

import typer

from linreg.errors import LinregError

Model = Annotated[
    Path | None,
    typer.Option(
        "--model",
        "-m",
        help="Bundle or .pth file. Default: artifacts/linreg, trained first where it is missing.",
    ),
]
ExistingModel = Annotated[
    Path | None, typer.Option("--model", "-m", help="Bundle or .pth file. Default: artifacts/linreg, where it is.")
]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON object on stdout instead of tables.")]
Force = Annotated[bool, typer.Option("--force", help="Overwrite files that are not listed in the bundle's manifest.")]
Wait = Annotated[
    bool, typer.Option("--wait", help="Wait for another linreg command that is writing there, instead of failing.")
]


def _input_text(text: str) -> str:
    """An `--input` as it stands, after its syntax was checked."""
    from export.source.input_text import split_input

    try:
        split_input(text)
    except LinregError as error:
        raise typer.BadParameter(str(error).removeprefix("--input: ")) from None
    return text


MODULE_PANEL = "Module of your own"

ModuleOption = Annotated[
    str | None,
    typer.Option(
        "--module",
        metavar="FILE.py:NAME",
        rich_help_panel=MODULE_PANEL,
        help="Module of your own, or a function that makes one. The file is run, so name only code that you trust.",
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
        metavar="NAME=DTYPE[batch,SIZE,..]",
        parser=_input_text,
        rich_help_panel=MODULE_PANEL,
        help="Input of --module, such as x=float32[batch,16]; once for each argument of forward.",
    ),
]


def given(context: typer.Context) -> set[str]:
    """The parameters of a command that stand on the command line, by the names that they have in Python."""
    names = {parameter.name for parameter in context.command.params if parameter.name}
    return {name for name in names if getattr(context.get_parameter_source(name), "name", "") == "COMMANDLINE"}


def refuse(context: typer.Context, names: Iterable[str], why: str) -> None:
    """Refuse options that have no effect here: what stands on the command line is done, or is an error.

    Args:
        context: of the command.
        names: of the parameters, as in Python.
        why: the rest of the sentence that begins with the option.

    Raises:
        typer.BadParameter: one of them was given.
    """
    found = given(context)
    for name in names:
        if name in found:
            option = next(parameter for parameter in context.command.params if parameter.name == name)
            raise typer.BadParameter(f"{max(option.opts, key=len)} {why}")


def refuse_empty(context: typer.Context, names: Iterable[str]) -> None:
    """Refuse empty words, which a shell makes of a variable that is not set: they must not read as the default.

    Raises:
        typer.BadParameter: one was given.
    """
    empty = [name for name in names if name in given(context) and not context.params[name]]
    refuse(context, empty, "got an empty word, expected a name; is a variable of the shell not set?")
