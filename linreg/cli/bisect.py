"""`linreg bisect`: find the first wrong node of an exported ONNX file."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from linreg.cli.bundle import find_bundle
from linreg.cli.options import (
    OF_MODULE,
    WITHOUT_MODULE,
    ArgOption,
    InputOption,
    Json,
    ModuleOption,
    StateDictOption,
    refuse,
)
from linreg.cli.stdout import prints_on_stderr
from linreg.cli.terminal import print_json, say, say_lines
from linreg.cli.user_module import run_module
from linreg.config import MODEL_FILE
from linreg.errors import MismatchError

if TYPE_CHECKING:
    from export.bisection.bisect import Bisection

NAME = "bisect"
SUMMARY = "Find the first wrong node of an ONNX file."
EXAMPLES = ("linreg bisect net --module nets.py:make_net", "linreg bisect net/model.onnx -o wrong-node")


def run(
    context: typer.Context,
    bundle: Annotated[
        Path | None, typer.Argument(help="Bundle, or an ONNX file in it. Default: artifacts/linreg.")
    ] = None,
    module: ModuleOption = None,
    arguments: ArgOption = None,
    state_dict: StateDictOption = None,
    inputs: InputOption = None,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output",
            "-o",
            help="Folder for the smallest model that shows the fault. Default: bisect, beside the bundle.",
            rich_help_panel="Output",
        ),
    ] = None,
    as_json: Json = False,
) -> None:
    """Find the first node whose outputs differ from float64 by more than rounding explains, given exact inputs.

    With --module, the file is first compared with a fresh export of the module: operators, attributes and weights.
    Exits with code 3 if a node is wrong, after writing the smallest model, its inputs and the expected outputs.
    """
    path = find_bundle(bundle)
    if module is None:
        refuse(context, OF_MODULE, WITHOUT_MODULE)

    from export.bisection.bisect import bisect, onnx_file
    from export.bisection.inputs import was_refused

    folder = onnx_file(path).parent
    saved = folder / MODEL_FILE
    # If an export was refused, the parameters in the bundle are those of an older one.
    kept = saved if saved.exists() and not was_refused(onnx_file(path)) else None
    made = None if module is None else run_module(module, state_dict or kept, arguments or ()).module
    with prints_on_stderr():
        result = bisect(path, module=made, inputs=inputs)
    target = output or folder.parent / "bisect"
    if result.wrong is not None:
        from export.bisection.evidence import write_evidence

        write_evidence(result, target)
    _show(result, target, as_json=as_json)
    if result.wrong is not None or result.translation:
        raise typer.Exit(MismatchError.exit_code)


def _show(result: "Bisection", folder: Path, *, as_json: bool) -> None:
    wrong, runs = result.wrong, f"{result.runs} run{'s' if result.runs != 1 else ''} of onnxruntime"
    if as_json:
        found = None
        if wrong is not None:
            keys = ("index", "name", "cause", "operator", "output", "worst_error", "what")
            found = {key: getattr(wrong, key) for key in keys} | {"written": str(folder)}
        facts = {"file": str(result.file), "nodes": result.nodes, "runs": result.runs}
        print_json({**facts, "wrong": found, "translation": result.translation})
    elif wrong is not None:
        figure = "" if wrong.worst_error is None else f"error / allowed {wrong.worst_error:.3g}: "
        say(
            f"node {wrong.name!r} ({wrong.operator}, {wrong.index + 1} of {result.nodes}), output {wrong.output!r}: "
            f"{figure}{wrong.what}"
        )
        say(f"found in {runs}; written: {folder}/model.onnx and {folder}/test_data_set_0")
        _say_report(result)
    elif result.translation:
        say(f"every node is right, but {result.translation}: torch.onnx translated the module wrongly ({runs})")
        _say_report(result)
    else:
        say(f"no node leaves its bound: {result.nodes} nodes of {result.file}, {runs}")


def _say_report(result: "Bisection") -> None:
    from export.bisection.evidence import bug_report

    say("for a bug report:")
    say_lines(bug_report(result))
