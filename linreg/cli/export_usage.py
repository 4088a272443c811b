"""Which options of `linreg export` go together."""

import typer

from export.formats.names import Format
from linreg.cli.options import given, refuse, refuse_empty


def check_usage(context: typer.Context, kinds: list[Format]) -> None:
    """Refuse options that contradict each other, or that would change nothing.

    Raises:
        typer.BadParameter: there are such.
    """
    refuse_empty(context, ["module", "prefix"])
    if Format.ONNX not in kinds:
        refuse(context, ["opset"], f"belongs to ONNX, and the format is {_listed(kinds)}; add --format onnx")
    if Format.C not in kinds:
        refuse(context, ["prefix"], "belongs to C source; add --format c")
    if context.params["static"]:
        refuse(context, ["data"], "has rows of any number, and --static fixes it; leave one of them out")
    if "module" in given(context):
        _check_module(context)
    elif {"state_dict", "inputs"} & given(context):
        raise typer.BadParameter(
            "--state-dict and --input belong to a module of your own; name it: --module FILE.py:NAME"
        )


def _check_module(context: typer.Context) -> None:
    found = given(context)
    if "output" not in found or {"model", "data", "unit"} & found:
        raise typer.BadParameter(
            "--module needs a bundle of its own, -o FOLDER, and takes no --model, --data or --unit"
        )


def _listed(kinds: list[Format]) -> str:
    return " and ".join(kind.value for kind in kinds)
