"""`linreg export`: write artifacts into a bundle; each is verified from disk before it is kept."""

import shlex
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from export.formats.names import FormatChoice, chosen_formats, optional_formats
from export.source.axes import BATCH
from linreg.cli.artifact_table import describe, show_artifacts
from linreg.cli.bundle import open_model
from linreg.cli.export_options import (
    Budget,
    Data,
    Dtype,
    Formats,
    InputNames,
    KeepInputs,
    Opset,
    Output,
    OutputNames,
    Prefix,
    Static,
    Units,
)
from linreg.cli.export_usage import check_usage, own_bundle
from linreg.cli.options import (
    NO_INPUTS,
    ArgOption,
    Force,
    InputOption,
    InputsOption,
    Json,
    Model,
    ModuleOption,
    StateDictOption,
    Wait,
)
from linreg.cli.stdout import prints_on_stderr
from linreg.cli.terminal import note, print_json, say, say_waiting, stages
from linreg.cli.user_module import own_sets, run_module
from linreg.config import MODEL_FILE

if TYPE_CHECKING:
    from torch import nn

    from export.bundle.exportable import Exportable
    from export.bundle.write_bundle import Outcome
    from export.source.given_inputs import GivenInputs
    from linreg.checkpoint import Checkpoint

NAME = "export"
SUMMARY = "Export a model to ONNX, TorchScript, .pt2 or source code, and verify every file."
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
    arguments: ArgOption = None,
    state_dict: StateDictOption = None,
    inputs: InputOption = None,
    inputs_from: InputsOption = None,
    dtype: Dtype = None,
    static: Static = None,
    opset: Opset = None,
    prefix: Prefix = None,
    input_names: InputNames = None,
    output_names: OutputNames = None,
    formats: Formats = None,
    output: Output = None,
    budget: Budget = None,
    keep_inputs: KeepInputs = False,
    force: Force = False,
    wait: Wait = False,
    as_json: Json = False,
) -> None:
    """Export a model from linreg train, or your own module, and verify each file before it is kept.

    A file whose outputs differ from the float64 oracle is not kept, and the command exits with 3. TorchScript is
    deprecated in torch; its successor is pt2. C source is written as model.c with its header model.h,
    JavaScript as the ES module model.mjs with its types model.d.mts, and SQL as the query model.sql.
    """
    choices = formats or [FormatChoice.ONNX]
    kinds = chosen_formats(choices)
    check_usage(context, kinds)

    from export.bundle.build import ExportOptions
    from export.bundle.export import check_options
    from export.bundle.exportable import exportable
    from export.bundle.write_bundle import write_bundle

    exported: Checkpoint | nn.Module
    code = None
    own: list[GivenInputs] = []
    if module is None:
        exported = open_model(model)
        folder = output or own_bundle(exported)
    else:
        assert output is not None, "check_usage requires it"
        made = run_module(module, state_dict, arguments or ())
        from export.source.card import place_in_file

        code = place_in_file(module)
        exported, folder, own = made.module, output, own_sets(made, inputs_from or ())
        if not inputs and not own:
            raise typer.BadParameter(NO_INPUTS)
    with prints_on_stderr(), stages() as progress:
        chosen = exportable(
            exported,
            folder,
            inputs=inputs,
            own=own,
            input_names=input_names or (),
            output_names=output_names or (),
            precision=dtype,
            static=static or False,
            units=dict(unit or []),
            data=data,
            code=code,
            note=note,
        )
        given_words = {"--arg": arguments, "--input": inputs}
        words = () if module is None else module_words(module, state_dict, given_words)
        options = ExportOptions(
            opset=opset, prefix=prefix, budget_s=budget, keep_inputs=keep_inputs, module_words=words
        )
        check_options(chosen, options)
        outcome = write_bundle(
            chosen,
            folder,
            kinds,
            options,
            optional=optional_formats(choices),
            force=force,
            wait=wait,
            on_wait=say_waiting,
            progress=progress,
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
                say(f"       {_bench_command(folder, module, arguments or [])}")
    outcome.raise_refused()


def _print_json(chosen: "Exportable", folder: Path, outcome: "Outcome") -> None:
    print_json(
        {
            "bundle": str(folder),
            "state_sha256": chosen.source.state_sha256,
            "artifacts": [describe(artifact) for artifact in outcome.written],
            "refused": {kind.value: str(error) for kind, error in outcome.refused.items()},
            "left_out": {kind.value: str(error) for kind, error in outcome.left_out.items()},
            "unlisted": outcome.unlisted,
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
    for remark in outcome.remarks():
        note(remark)


def _bench_command(folder: Path, module: str, arguments: list[str]) -> str:
    words = ["linreg", "bench", "-m", str(folder), "--module", module]
    return shlex.join([*words, *(word for text in arguments for word in ("--arg", text))])


def module_words(module: str, state_dict: Path | None, options: dict[str, list[str] | None]) -> tuple[str, ...]:
    """Return the options that name a module, its parameters and its inputs in another command."""
    state = () if state_dict is None else ("--state-dict", str(state_dict))
    return (
        "--module",
        module,
        *state,
        *(word for name, texts in options.items() for text in texts or () for word in (name, text)),
    )
