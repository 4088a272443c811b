"""Check which options of `linreg bench` can be given together."""

from pathlib import Path

import typer

from bench.plan.request import Request
from bench.plan.variants import ONNX_LEVELS
from linreg.cli.options import OF_MODULE, WITHOUT_MODULE, given, refuse, refuse_empty
from linreg.config import FEWEST_PROCESSES_TO_STOP, DeviceChoice

BESIDE_AGAINST = ("device", "compiled", "variants", "runtimes", "reference")
OF_LINEAR_MODELS = ("against", "runtimes")


def check_usage(context: typer.Context, request: Request, compare: Path | None, limit: float | None) -> None:
    """Refuse options that contradict each other, or that would have no effect.

    Raises:
        typer.BadParameter: such options were given.
    """
    found = given(context)
    refuse_empty(context, ["module", "reference"])
    _check_subject(context, request)
    _check_gate(request, compare, limit)
    if {"as_json", "markdown"} <= found:
        raise typer.BadParameter("--markdown and --json exclude each other; leave one out")
    if request.device is DeviceChoice.CUDA:
        refuse(context, ["variants"], "adds a row on the CPU; leave out --device cuda")
        refuse(context, ["budgets"], "limits calls timed one by one, which is done on the CPU; leave out --device cuda")
    if {"processes", "target"} <= found and request.settings.processes <= FEWEST_PROCESSES_TO_STOP:
        refuse(
            context,
            ["target"],
            f"has no effect: {FEWEST_PROCESSES_TO_STOP} processes always run, and no more were requested; "
            "use --processes 10, or leave it out",
        )
    if not writes_into_bundle(request) and not found & {"output", "plots"}:
        refuse(context, ["force"], "has no effect: without -o and --plots no file is written")
    if not writes_into_bundle(request) and "output" not in found:
        refuse(context, ["wait"], "has no effect: without -o there is no folder to wait for")


def writes_into_bundle(request: Request) -> bool:
    """Return whether the report goes to the bundle of the model unless `-o` names a folder."""
    return not ((request.module and request.model is None) or request.against is not None or request.environments)


def _check_subject(context: typer.Context, request: Request) -> None:
    answered = [] if request.environments else ["inputs_from"]  # environments answer inputs of a bundle too
    if request.module:
        refuse(context, OF_LINEAR_MODELS, "needs a model of linreg train, and --module names your own; leave it out")
        if request.model is not None:
            held = ["state_dict", "inputs", *answered]
            refuse(context, held, f"has no effect: {request.model} describes its inputs; leave it out")
        else:
            refuse(context, ["trust"], "applies to the programs of a bundle; add -m BUNDLE, or leave it out")
            if request.inputs_from:
                refuse(context, ["batch"], "has no effect: --inputs are timed with the rows they have; leave it out")
    else:
        refuse(context, [name for name in OF_MODULE if name != "inputs_from" or answered], WITHOUT_MODULE)
    if request.against is None:
        return
    if request.settings.onnxruntime_threads and request.against.suffix != ".onnx":
        raise typer.BadParameter(f"--onnxruntime-threads: ONNX Runtime does not run {request.against.name}")
    if request.onnx_optimization != ONNX_LEVELS[:1] and request.against.suffix != ".onnx":
        raise typer.BadParameter(f"--onnx-optimization: ONNX Runtime does not run {request.against.name}")
    if len(request.onnx_optimization) > 1:
        raise typer.BadParameter("--onnx-optimization: --against runs both files at one level; name one")
    refuse(context, BESIDE_AGAINST, "has no effect: --against times only two artifacts, on the CPU; leave it out")


def _check_gate(request: Request, compare: Path | None, limit: float | None) -> None:
    if limit is None:
        return
    if compare is None and request.against is None and not request.environments:
        raise typer.BadParameter(
            "--fail-slower needs something to compare with: --compare old.json, --against FILE or --env NAME=PYTHON"
        )
    if compare is not None and request.against is not None:
        raise typer.BadParameter("--fail-slower needs either --compare or --against, not both; leave one out")
    if request.settings.processes == 1:
        raise typer.BadParameter("--fail-slower needs two processes or more, since ratios differ between them")
