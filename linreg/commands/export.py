"""`linreg export`: write artifacts into a bundle, each verified from disk before it is kept."""

import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from export.formats import Format, FormatChoice, Precision, chosen_formats
from linreg.commands.artifact_table import describe, show_artifacts
from linreg.commands.bundle import open_model
from linreg.commands.exporting import ExportOptions, checkpoint_files, export_source, make_room
from linreg.commands.options import Force, Json, Model
from linreg.commands.terminal import note, print_json, say
from linreg.config import MAX_STATE_BYTES, MODEL_FILE
from linreg.errors import LinregError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from export.source import Source
    from linreg.checkpoint import Checkpoint

NAME = "export"
SUMMARY = "Write ONNX, TorchScript, .pt2 and C files, each proved equal."


def run(
    model: Model = None,
    formats: Annotated[
        list[FormatChoice] | None,
        typer.Option(
            "--format",
            "-f",
            help="May be given several times. all: the four that runtimes load; c: source of an affine model, which a "
            "C compiler here must prove. Default: onnx",
        ),
    ] = None,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Another bundle to write to. Default: the model's own.")
    ] = None,
    opset: Annotated[int | None, typer.Option(help="Of ONNX. Default: 18", min=13, max=26)] = None,
    prefix: Annotated[str | None, typer.Option(help="Of the names in C. Default: linreg")] = None,
    dtype: Annotated[
        Precision | None, typer.Option(help="Of the parameters; stands in the file's name. Default: the model's own.")
    ] = None,
    static: Annotated[bool, typer.Option("--static", help="A batch of fixed size: that of --input, or 1.")] = False,
    input_names: Annotated[str | None, typer.Option(help="Of the graph: a,b. Default: input, or forward's.")] = None,
    output_names: Annotated[
        str | None, typer.Option(help="Of the graph: a,b. Default: output, or the keys of a dict.")
    ] = None,
    unit: Annotated[list[str] | None, typer.Option(help="Of a column, for the metadata: body_mass_g=g.")] = None,
    data: Annotated[Path | None, typer.Option(help="A table whose rows are verified as well.")] = None,
    module: Annotated[
        str | None, typer.Option(help="A module of your own, FILE.py:NAME. The file is run: name only what you trust.")
    ] = None,
    state_dict: Annotated[Path | None, typer.Option(help="Parameters for --module, a plain state_dict.")] = None,
    inputs: Annotated[
        list[str] | None,
        typer.Option("--input", help="What --module takes: x=float32[batch,16]. One for each argument of forward."),
    ] = None,
    force: Force = False,
    as_json: Json = False,
) -> None:
    """Export the reloaded state_dict, or a module of your own, and prove each file equal before it is kept.

    A file that does not answer as the float64 reference is not left behind, exit 3. TorchScript is deprecated in torch;
    its successor is pt2. C source comes as model.c with its header model.h.
    """
    kinds = chosen_formats(formats or [FormatChoice.ONNX])
    if prefix is not None and Format.C not in kinds:
        raise LinregError("--prefix: belongs to C source; add --format c")
    names = _names("--input-names", input_names), _names("--output-names", output_names)
    state_file, rows = MODEL_FILE, None
    if module is not None:
        if model is not None or output is None or data is not None or unit:
            raise LinregError("--module: needs a bundle of its own, -o FOLDER, and takes no --model, --data or --unit")
        source = _module_source(module, state_dict, inputs or [], dtype, names, static=static)
        folder, plain = output, {MODEL_FILE: _state_bytes(source, state_dict, dtype)}
    else:
        if state_dict is not None or inputs:
            raise LinregError("--state-dict and --input belong to a module of your own; name it: --module FILE.py:NAME")
        from export.source import from_checkpoint

        checkpoint = open_model(model)
        rows = None if data is None else _rows(data, checkpoint)
        source = from_checkpoint(
            checkpoint,
            input_names=names[0],
            output_names=names[1],
            precision=dtype,
            static=static,
            units=_units(unit or []),
        )
        folder = output or checkpoint.path.parent
        plain = checkpoint_files(checkpoint, folder)
        state_file = MODEL_FILE if plain else checkpoint.path.name
    options = ExportOptions(opset=opset, prefix=prefix, precision=dtype, rows=rows)
    make_room(folder, source.state_sha256, plain, kinds, options, force=force)
    outcome = export_source(source, folder, kinds, options, state_file=state_file)
    if as_json:
        print_json(
            {
                "bundle": str(folder),
                "state_sha256": source.state_sha256,
                "artifacts": [describe(artifact) for artifact in outcome.written],
                "refused": {kind.value: str(error) for kind, error in outcome.refused.items()},
            }
        )
    else:
        show_artifacts("exported and verified", outcome.written, outcome.refused)
        if outcome.written:
            model_path = folder if (folder / MODEL_FILE).is_file() else folder / state_file
            bench = "" if module else f"   and   linreg bench -m {shlex.quote(str(model_path))}"
            say(f"next:  linreg verify {shlex.quote(str(folder))}{bench}")
    for error in sorted(outcome.refused.values(), key=lambda refusal: -refusal.exit_code):
        raise error


def _module_source(
    module: str,
    state_dict: Path | None,
    inputs: list[str],
    dtype: Precision | None,
    names: tuple[tuple[str, ...], tuple[str, ...]],
    *,
    static: bool,
) -> "Source":
    from export.module_file import load_module, parse_input
    from export.source import from_module

    if not inputs:
        raise LinregError("--module: say what it takes, one --input for each argument, such as x=float32[batch,16]")
    entries = [parse_input(text) for text in inputs]
    note(f"running {module.rpartition(':')[0]}")
    loaded = load_module(module, state_dict)
    return from_module(loaded, entries, input_names=names[0], output_names=names[1], precision=dtype, static=static)


def _state_bytes(source: "Source", state_dict: Path | None, dtype: Precision | None) -> bytes:
    """The state_dict for the bundle of a module: the file given, or that of the module as it was made."""
    from linreg.checkpoint import state_bytes, state_sha256
    from linreg.files import read_bytes

    if state_dict is not None:
        return read_bytes(state_dict, limit=MAX_STATE_BYTES)
    if dtype is not None and state_sha256(source.module.state_dict()) != source.state_sha256:
        raise LinregError("--dtype: needs --state-dict with --module, so that the bundle holds what was converted")
    return state_bytes(source.module.state_dict())


def _rows(table: Path, checkpoint: "Checkpoint") -> "NDArray[np.float64]":
    from linreg.tables import read_table

    if checkpoint.card is None:
        raise LinregError(f"--data: {checkpoint.path} has no card.json, so its columns have no names")
    return read_table(table, features=checkpoint.card.features, target=None).features


def _names(option: str, text: str | None) -> tuple[str, ...]:
    names = () if text is None else tuple(name.strip() for name in text.split(","))
    if not all(names):
        raise typer.BadParameter(f"{option}: got {text!r}, expected names with commas between: a,b")
    return names


def _units(texts: list[str]) -> dict[str, str]:
    units = {}
    for text in texts:
        name, _, value = text.rpartition("=")
        if not name or not value:
            raise typer.BadParameter(f"--unit: got {text!r}, expected COLUMN=UNIT such as body_mass_g=g")
        units[name] = value
    return units
