"""`linreg export`: write artifacts into a bundle, each verified from disk before it is kept."""

import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from export.formats.names import FormatChoice, Precision, chosen_formats
from linreg.cli.artifact_table import describe, show_artifacts
from linreg.cli.bundle import open_model, show_notes
from linreg.cli.export_usage import check_usage
from linreg.cli.exporting import ExportOptions, checkpoint_files, export_source
from linreg.cli.options import Force, Json, Model, Wait
from linreg.cli.rows import rows_to_verify
from linreg.cli.stdout import prints_on_stderr
from linreg.cli.terminal import note, print_json, say
from linreg.config import MODEL_FILE
from linreg.errors import LinregError

if TYPE_CHECKING:
    from export.source.source import Source

NAME = "export"
SUMMARY = "Write ONNX, TorchScript, .pt2 and C files, each proved equal."
EXAMPLES = (
    "linreg export -m penguins --format onnx --format pt2",
    'linreg export --module nets.py:make_net --input "x=float32[batch,16]" -o net',
)


def run(
    context: typer.Context,
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
    state_dict: Annotated[
        Path | None, typer.Option(help="Parameters for --module: a state_dict of torch.save or safetensors.")
    ] = None,
    inputs: Annotated[
        list[str] | None,
        typer.Option("--input", help="What --module takes: x=float32[batch,16]. One for each argument of forward."),
    ] = None,
    force: Force = False,
    wait: Wait = False,
    as_json: Json = False,
) -> None:
    """Export the reloaded state_dict, or a module of your own, and prove each file equal before it is kept.

    A file that does not answer as the float64 reference is not left behind, exit 3. TorchScript is deprecated in torch;
    its successor is pt2. C source comes as model.c with its header model.h.
    """
    kinds = chosen_formats(formats or [FormatChoice.ONNX])
    check_usage(context, kinds)
    names = _names("--input-names", input_names), _names("--output-names", output_names)
    state_file, rows = MODEL_FILE, None
    if module is not None:
        assert output is not None, "check_usage has seen it"
        source, state = _module_source(module, state_dict, inputs or [], dtype, names, static=static)
        folder, plain = output, {MODEL_FILE: state}
    else:
        from export.source.source import from_checkpoint

        checkpoint = open_model(model)
        rows = None if data is None else rows_to_verify(data, checkpoint.card, checkpoint.path)
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
    with prints_on_stderr():
        outcome = export_source(
            source, folder, kinds, options, plain=plain, state_file=state_file, force=force, wait=wait
        )
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
) -> "tuple[Source, bytes]":
    """The source of somebody's own module, and the state_dict for its bundle: that of the module as it was loaded."""
    from export.proof.cases import batches, check_batches
    from export.source.place import find_place
    from export.source.source import from_module
    from export.source.user_module import MODULE, load_file_into, make_module, parse_input
    from linreg.state_dict import state_bytes

    if not inputs:
        raise LinregError("--module: say what it takes, one --input for each argument, such as x=float32[batch,16]")
    entries = [parse_input(text) for text in inputs]
    note(f"running {find_place(module, '--module', MODULE).file}")
    with prints_on_stderr():
        made = make_module(module)
        for line in made.notes:
            note(line)
        if state_dict is not None:
            show_notes(state_dict, load_file_into(made.module, state_dict))
        source = from_module(
            made.module, entries, input_names=names[0], output_names=names[1], precision=dtype, static=static
        )
        check_batches(source, batches(source))
    return source, state_bytes(made.module.state_dict())


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
