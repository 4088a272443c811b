"""`linreg export`: write artifacts into a bundle; each is verified from disk before it is kept."""

import shlex
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from export.formats.names import FormatChoice, chosen_formats
from export.source.axes import BATCH, merged
from export.source.fixing import fixed_sizes, with_sizes
from export.source.input_text import split_input
from linreg.cli.artifact_table import describe, show_artifacts
from linreg.cli.bundle import open_model
from linreg.cli.export_options import (
    Budget,
    Data,
    Dtype,
    Formats,
    InputNames,
    Opset,
    Output,
    OutputNames,
    Prefix,
    Static,
    Units,
)
from linreg.cli.export_usage import check_usage, own_bundle
from linreg.cli.options import Force, InputOption, Json, Model, ModuleOption, StateDictOption, Wait
from linreg.cli.stdout import prints_on_stderr
from linreg.cli.terminal import note, print_json, say, say_waiting, stages
from linreg.cli.user_module import run_module
from linreg.config import MODEL_FILE

if TYPE_CHECKING:
    from torch import nn

    from export.bundle.export import Outcome
    from export.bundle.exportable import Exportable
    from linreg.checkpoint import Checkpoint

NAME = "export"
SUMMARY = "Export a model to ONNX, TorchScript, .pt2 or C, and verify every file."
EXAMPLES = (
    "linreg export -m penguins -f onnx -f pt2",
    "linreg export --module nets.py:make_net --input 'x=float32[batch,16]' -o net",
)


def run(
    context: typer.Context,
    model: Model = None,
    data: Data = None,
    unit: Units = None,
    module: ModuleOption = None,
    state_dict: StateDictOption = None,
    inputs: InputOption = None,
    dtype: Dtype = None,
    static: Static = None,
    opset: Opset = None,
    prefix: Prefix = None,
    input_names: InputNames = None,
    output_names: OutputNames = None,
    formats: Formats = None,
    output: Output = None,
    budget: Budget = None,
    force: Force = False,
    wait: Wait = False,
    as_json: Json = False,
) -> None:
    """Export a model from linreg train, or your own module, and verify each file before it is kept.

    A file whose outputs differ from the float64 oracle is not kept, and the command exits with 3. TorchScript is
    deprecated in torch; its successor is pt2. C source is written as model.c with its header model.h.
    """
    kinds = chosen_formats(formats or [FormatChoice.ONNX])
    check_usage(context, kinds)

    from export.bundle.export import check_budget, write_bundle
    from export.bundle.exportable import exportable
    from export.bundle.write import ExportOptions

    exported: Checkpoint | nn.Module
    if module is None:
        exported = open_model(model)
        folder = output or own_bundle(exported)
    else:
        assert output is not None, "check_usage requires it"
        exported, folder = run_module(module, state_dict), output
    with prints_on_stderr(), stages() as progress:
        chosen = exportable(
            exported,
            folder,
            inputs=inputs,
            input_names=input_names or (),
            output_names=output_names or (),
            precision=dtype,
            static=static or False,
            units=dict(unit or []),
            data=data,
            note=note,
        )
        options = ExportOptions(opset=opset, prefix=prefix, rows=chosen.rows, budget_s=budget)
        check_budget(chosen, options)
        outcome = write_bundle(
            chosen, folder, kinds, options, force=force, wait=wait, on_wait=say_waiting, progress=progress
        )
    if as_json:
        _print_json(chosen, folder, outcome)
    else:
        _show(outcome)
        if outcome.written:
            say(f"next:  linreg verify {shlex.quote(str(folder))}")
            if module is None:
                path = folder if (folder / MODEL_FILE).is_file() else folder / chosen.state_file
                say(f"       linreg bench -m {shlex.quote(str(path))}")
            elif BATCH in chosen.source.sizes():
                axes = merged(axis for text in inputs or [] for axis in split_input(text).axes)
                texts = [with_sizes(text, fixed_sizes(static or False, axes)) for text in inputs or []]
                say(f"       {_bench_command(module, folder / chosen.state_file, texts)}")
    outcome.raise_refused()


def _print_json(chosen: "Exportable", folder: Path, outcome: "Outcome") -> None:
    print_json(
        {
            "bundle": str(folder),
            "state_sha256": chosen.source.state_sha256,
            "artifacts": [describe(artifact) for artifact in outcome.written],
            "refused": {kind.value: str(error) for kind, error in outcome.refused.items()},
        }
    )


def _show(outcome: "Outcome") -> None:
    """Print a table of what was written, and why formats were refused.

    The error that the command itself ends with is not printed here.
    """
    if outcome.written:
        show_artifacts("exported and verified", outcome.written, outcome.refused)
    for kind, error in outcome.refused.items():
        if error is not outcome.error:
            note(str(error) if str(error).startswith(kind.value) else f"{kind.value}: {error}")


def _bench_command(module: str, state_file: Path, inputs: list[str]) -> str:
    words = ["linreg", "bench", "--module", module, "--state-dict", str(state_file)]
    return shlex.join([*words, *(word for text in inputs for word in ("--input", text))])
