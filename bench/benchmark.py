"""The entry points of a benchmark: `bench` in Python, and `measure`, which the command line calls too."""

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

from bench.environments.benchmark import compare_environments
from bench.environments.probe import probe
from bench.plan.estimate import Estimate
from bench.plan.interpreters import Interpreter, check_interpreters, parse_interpreter
from bench.plan.model import Model, argument_texts, located, place_of_module
from bench.plan.own_inputs import on_own_inputs
from bench.plan.planning import Plan, plan_request
from bench.plan.request import Request, model_name
from bench.plan.settings import bench_settings, parse_device, parse_levels
from bench.plan.variants import ONNX_LEVELS
from bench.programs.runtimes import time_deploy
from bench.report.report import Report
from bench.run import run_benchmark
from bench.self_check_record import last_self_check
from linreg.arguments import as_path, as_texts
from linreg.config import BENCH_DEFAULTS
from linreg.errors import LinregError
from linreg.in_python import in_python

if TYPE_CHECKING:
    from export.bundle.exportable import Example

Progress = Callable[[str, int, int], None]
"""Called with a stage, the number of its steps completed and their total."""

TIMING = "timing in fresh processes"
"""The stage in which processes run."""


@in_python
def bench(
    model: Model,
    *,
    module: str | Callable[[], object] | None = None,
    inputs: str | Sequence[str] = (),
    example: "Example | None" = None,
    args: Mapping[str, Any] | None = None,
    state_dict: str | os.PathLike[str] | None = None,
    batches: str | int | Sequence[int] | None = None,
    threads: str | int | Sequence[int] = BENCH_DEFAULTS.threads,
    onnxruntime_threads: int | None = None,
    processes: int | None = None,
    rounds: int | None = BENCH_DEFAULTS.rounds,
    target: str | float | None = None,
    reference: str | None = None,
    device: str = "auto",
    compile: bool = False,  # noqa: A002
    variants: str | Sequence[str] = (),
    against: str | os.PathLike[str] | None = None,
    runtimes: str | os.PathLike[str] | None = None,
    trust: bool = False,
    progress: Progress | None = None,
    onnx_optimization: str | Sequence[str] = ONNX_LEVELS[0],
    environments: Mapping[str, str | os.PathLike[str]] | None = None,
) -> Report:
    """Time every way to run a model, after proving that each gives the right outputs.

    Nothing is written. Variants with wrong outputs are not timed; the report says what is wrong with them.

    Args:
        model: a bundle or .pth file, a fitted model, a function or class that makes a `torch.nn.Module`, or the
            `FILE.py:NAME` or `package.module:NAME` of one.
        module: for the bundle of a module, the function or class that makes it, or the `FILE.py:NAME` of one; the
            weights and the description of the inputs come from the bundle.
        inputs: inputs of a module, one for each argument of its forward, such as `x=float32[batch,16]`.
        example: the module is timed on these tensors instead of random ones, in the forms that `linreg.export` takes,
            with the rows that they have; `batches` must then be left out.
        args: arguments of the function or class that makes the module, by name, with values that JSON can hold.
        state_dict: parameters for the module, as a file written by torch.save or safetensors.
        batches: batch sizes, such as `[1, 4096]`, or one. Default: 1 and 4096.
        threads: intra-op threads of torch and ONNX Runtime, such as `[1, 2]`, or one; each is measured separately.
        onnxruntime_threads: ONNX Runtime threads; None: same as torch.
        processes: maximum number of processes; 1 measures in this process only. None: 10, and up to 5 more until
            all intervals are within 2 %.
        rounds: blocks of every variant in each process. None: 99, and more, for up to four seconds, until
            every interval within the process is as narrow as `target`.
        target: stop once the half-width of every confidence interval is at most this. None: 1 %, or 0.75 % with
            `environments`.
        reference: name of the row that ratios refer to; None: `eager-inference_mode`.
        device: `auto` (the CPU, and CUDA if there is one), `cpu` or `cuda`.
        compile: time torch.compile too; compiling takes many seconds.
        variants: your own rows, each the `FILE.py:NAME` of a function that returns a Runner. The files are run.
        against: artifact of another bundle; only it and this model's artifact of the same format are timed.
        runtimes: the `deploy` folder of linreg's repository; its programs, which need no Python, are timed too.
        trust: run programs that you did not export.
        progress: called with the stage, the number of steps completed and the total number of steps.
        onnx_optimization: level of onnxruntime's graph optimisation, `all`, `basic` or `disabled`; several levels give
            several rows.
        environments: Python environments to compare instead, such as `{"old": "venv/bin/python", "new": ...}`; the
            first is the reference.

    Raises:
        MismatchError: the outputs of the reference are wrong.
        LinregError: a setting is invalid, or the model cannot be timed.

    Example:
        >>> report = bench("penguins", batches="1", processes=1, rounds=10, device="cpu")
        >>> [row.name for row in report.comparisons[0].rows[:3]]
        ['eager-inference_mode', 'null', 'eager-no_grad']
    """
    settings = bench_settings(
        batches=BENCH_DEFAULTS.batches if batches is None else batches,
        threads=threads,
        onnxruntime_threads=onnxruntime_threads,
        processes=processes,
        rounds=rounds,
        target=target,
        reference=reference,
        against=against is not None,
        environments=environments is not None,
    )
    with located(model) as (path, place):
        request = Request(
            model=path,
            module=place if module is None else place_of_module(module, path),
            arguments=argument_texts(args),
            state_dict=None if state_dict is None else as_path("state_dict", state_dict),
            inputs=as_texts("inputs", inputs),
            settings=settings,
            device=parse_device(device),
            compiled=compile,
            variants=as_texts("variants", variants),
            against=None if against is None else as_path("against", against),
            runtimes=None if runtimes is None else as_path("runtimes", runtimes),
            trust=trust,
            command=("linreg.bench",),
            name="" if place or isinstance(model, str | os.PathLike) else "fitted model",
            onnx_optimization=parse_levels(onnx_optimization),
            environments=_interpreters(environments),
        )
        if example is not None:
            request = _on_example(request, example, batches_given=batches is not None)
        return measure(request, plan_request(request), progress=progress)


def _interpreters(environments: Mapping[str, str | os.PathLike[str]] | None) -> tuple[Interpreter, ...]:
    if environments is None:
        return ()
    found = tuple(parse_interpreter(f"{name}={os.fspath(python)}") for name, python in environments.items())
    check_interpreters(found)
    probe(found)
    return found


def _on_example(request: Request, example: "Example", *, batches_given: bool) -> Request:
    """Return a request that times a module on an example."""
    from export.source.given_inputs import given_inputs
    from export.source.user_module import make_module

    if not request.module:
        raise LinregError("example applies to your own module, FILE.py:NAME; leave it out")
    if batches_given:
        raise LinregError("batches: has no effect, since the example is timed with the rows that it has; leave it out")
    made = make_module(request.module, request.arguments)
    return on_own_inputs(request, made.module, given_inputs(example, "example"))


def measure(
    request: Request,
    plan: Plan,
    *,
    progress: Progress | None = None,
    begin: Callable[[Estimate], None] | None = None,
) -> Report:
    """Time a plan, and return the report; it includes the last self-check on this machine.

    Args:
        request: the settings and the command that the report shows.
        plan: the models and rows of the request.
        progress: called with the stage, the number of steps completed and the total number of steps.
        begin: called before the first process with what the benchmark is going to do.

    Raises:
        MismatchError: the outputs of the reference are wrong.
        LinregError: the model cannot be timed.
    """
    if request.environments:
        of_sets = None if progress is None else partial(progress, TIMING)
        return compare_environments(request, plan, of_sets, begin)
    settings = request.settings
    runtimes = None
    if request.runtimes is not None:
        runtimes = time_deploy(
            request.runtimes, plan.bundle, processes=settings.processes, trust=request.trust, progress=progress
        )
    planned = settings

    def begin_timing(found: Estimate) -> None:
        nonlocal planned
        planned = found.settings
        if begin is not None:
            begin(found)

    def completed(done: int) -> None:
        if progress is not None:
            more = planned.more_processes if done > planned.processes else 0
            progress(TIMING, done, planned.processes + more)

    report = run_benchmark(
        plan.subjects,
        plan.variants,
        settings,
        bundle=plan.bundle,
        provided=plan.provided,
        own=request.own,
        budgets=request.budgets,
        trust=request.trust,
        progress=completed,
        begin=begin_timing,
    )
    return replace(
        report,
        command=request.command,
        self_check=last_self_check(),
        runtimes=runtimes,
        model=model_name(request),
    )
