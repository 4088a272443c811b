"""Check which options of `linreg export` can be given together."""

import shlex
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from export.formats.names import Format
from linreg.cli.options import OF_MODULE, WITHOUT_MODULE, given, refuse, refuse_empty
from linreg.errors import ExportError, LinregError

if TYPE_CHECKING:
    from linreg.checkpoint import Checkpoint


def check_usage(context: typer.Context, kinds: list[Format]) -> None:
    """Refuse options that contradict each other, or that would have no effect.

    Raises:
        typer.BadParameter: such options were given.
    """
    refuse_empty(context, ["module", "prefix"])
    if Format.ONNX not in kinds:
        refuse(context, ["opset"], f"applies to ONNX, and the format is {_listed(kinds)}; add --format onnx")
    if Format.C not in kinds:
        refuse(context, ["prefix"], "applies to C source; add --format c")
    if (prefix := context.params["prefix"]) is not None:
        from export.formats.c import check_prefix

        try:
            check_prefix(prefix)
        except ExportError as error:
            raise typer.BadParameter(str(error)) from None
    if context.params["static"]:
        refuse(context, ["data"], "needs a dynamic batch size, and --static fixes it; leave one of them out")
    if "module" in given(context):
        _check_module(context)
    else:
        refuse(context, (*OF_MODULE, "keep_inputs"), WITHOUT_MODULE)


def _check_module(context: typer.Context) -> None:
    found = given(context)
    if "output" not in found or {"model", "data", "unit"} & found:
        raise typer.BadParameter(
            "--module needs a bundle of its own, -o FOLDER, and cannot be combined with --model, --data or --unit"
        )


def own_bundle(checkpoint: "Checkpoint") -> Path:
    """Return the bundle of a model; a folder that merely contains a bare state_dict is not a bundle.

    Raises:
        LinregError: the state_dict has no card, and no manifest lists it.
    """
    from linreg.manifest import read_manifest

    path = checkpoint.path
    manifest = read_manifest(path.parent)
    if checkpoint.card is not None or (manifest is not None and manifest.entry(path.name) is not None):
        return path.parent
    folder = path.with_suffix("")
    words = f"linreg export -m {shlex.quote(str(path))} -o {shlex.quote(str(folder))}"
    raise LinregError(f"{path}: is a state_dict without a bundle; name a folder for the bundle: {words}")


def _listed(kinds: list[Format]) -> str:
    return " and ".join(kind.value for kind in kinds)
