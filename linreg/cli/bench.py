"""`linreg bench`: check that the outputs of each variant are right, then measure how fast it runs."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from bench.plan.request import Request, public_command
from bench.plan.settings import bench_settings
from bench.plan.variants import ONNX_LEVELS
from linreg.cli.bench_environments import EnvironmentsOption, check_environments, show_environments
from linreg.cli.bench_gate import check_old, json_of, judge, show_changes
from linreg.cli.bench_next import next_command
from linreg.cli.bench_options import (
    Against,
    Batches,
    BenchmarkJson,
    Budgets,
    Compare,
    Compile,
    Device,
    FailSlower,
    Force,
    Github,
    Markdown,
    OnnxOptimization,
    OnnxruntimeThreads,
    Output,
    Plots,
    Processes,
    Reference,
    Rounds,
    Runtimes,
    SelfCheck,
    Target,
    Threads,
    Trust,
    Variants,
)
from linreg.cli.bench_output import REPORT_FILE, check_output, report_changes, show_report, write_files
from linreg.cli.bench_run import measure
from linreg.cli.bench_usage import check_usage
from linreg.cli.bench_workflow import check_workflow, write_benchmark_json, write_summary
from linreg.cli.file_kinds import kind_of
from linreg.cli.options import (
    ArgOption,
    InputOption,
    InputsOption,
    Json,
    Model,
    ModuleOption,
    StateDictOption,
    Wait,
    given,
    usage_errors,
)
from linreg.cli.self_check import run_self_check
from linreg.cli.terminal import note, print_json, say
from linreg.config import BENCH_DEFAULTS, BenchSettings, DeviceChoice
from linreg.errors import ModelError

if TYPE_CHECKING:
    from bench.report.report import Report

NAME = "bench"
SUMMARY = "Time eager, scripted and ONNX inference."
EXAMPLES = ("linreg bench -m penguins --batch 1,64", "linreg bench -m penguins --compare old.json --fail-slower 3%")


def run(
    context: typer.Context,
    model: Model = None,
    module: ModuleOption = None,
    arguments: ArgOption = None,
    state_dict: StateDictOption = None,
    inputs: InputOption = None,
    inputs_from: InputsOption = None,
    trust: Trust = False,
    batch: Batches = None,
    threads: Threads = None,
    onnxruntime_threads: OnnxruntimeThreads = None,
    device: Device = DeviceChoice.AUTO,
    compiled: Compile = False,
    variants: Variants = None,
    against: Against = None,
    runtimes: Runtimes = None,
    reference: Reference = None,
    self_check: SelfCheck = False,
    processes: Processes = None,
    rounds: Rounds = None,
    target: Target = None,
    compare: Compare = None,
    fail_slower: FailSlower = None,
    output: Output = None,
    plots: Plots = None,
    markdown: Markdown = False,
    force: Force = False,
    wait: Wait = False,
    as_json: Json = False,
    budgets: Budgets = None,
    github: Github = False,
    benchmark_json: BenchmarkJson = None,
    onnx_optimization: OnnxOptimization = None,
    environments: EnvironmentsOption = None,
) -> None:
    """Verify every way to run a model, then time them in shuffled rounds in fresh processes.

    Variants with wrong outputs are not timed, and the command exits with 3. The figures go to bench.json and
    report.html.
    """
    if self_check:
        if given(context) - {"self_check", "model", "as_json"}:
            raise typer.BadParameter("--self-check takes no other option than --model and --json")
        run_self_check(model, as_json=as_json)
        return
    with usage_errors():
        settings = bench_settings(
            batches=batch or BENCH_DEFAULTS.batches,
            threads=threads or BENCH_DEFAULTS.threads,
            onnxruntime_threads=onnxruntime_threads,
            processes=processes,
            rounds=rounds,
            target=target,
            reference=reference,
            against=against is not None,
            environments=bool(environments),
        )
    request = Request(
        model=model,
        module=module or "",
        arguments=tuple(arguments or ()),
        state_dict=state_dict,
        inputs=tuple(inputs or ()),
        inputs_from=tuple(inputs_from or ()),
        settings=settings,
        device=device,
        compiled=compiled,
        variants=tuple(variants or ()),
        against=against,
        trust=trust,
        runtimes=runtimes,
        command=("linreg", *public_command(sys.argv[1:])),
        onnx_optimization=onnx_optimization or ONNX_LEVELS[:1],
        environments=tuple(environments or ()),
        budgets=tuple(budgets or ()),
    )
    check_environments(context, request)
    check_usage(context, request, compare, fail_slower)
    old = _read_old(compare, settings)
    check_workflow(benchmark_json, github=github, force=force)
    folder = check_output(request, output, plots, compare, force=force)
    with report_changes(folder, command="linreg bench", wait=wait) as files:
        report = measure(request, batches_given=batch is not None)
        judged = judge(report, old, fail_slower, request.budgets)
        if as_json:
            print_json({**report.to_values(), **json_of(judged)})
        else:
            show_report(report, markdown=markdown)
            if judged.changes and old is not None:
                show_changes(judged.changes, markdown=markdown)
        tell = note if as_json or markdown else say
        for line in judged.lines:
            tell(line)
        written = write_files(report, files, plots)
        for path in written:
            tell(f"saved: {path}")
        show_environments(report, quiet=as_json)
    if benchmark_json is not None:
        write_benchmark_json(report, benchmark_json)
        tell(f"saved: {benchmark_json}")
    if github:
        write_summary(report, judged.changes, judged.lines)
    if judged.failure is not None:
        raise judged.failure
    following = next_command(
        sys.argv[1:],
        settings,
        report=written[0] if files is not None else None,
        against=against is not None,
        environments=bool(environments),
    )
    if not (as_json or markdown):
        say(f"next:  {following}")


def _read_old(compare: Path | None, settings: BenchSettings) -> "Report | None":
    """Read the report to compare with, and check, before timing starts, that it can be compared."""
    if compare is None:
        return None
    from bench.report.report import Report

    if compare.is_dir():
        raise ModelError(f"--compare: {compare} is a folder, expected a report; use {compare / REPORT_FILE}")
    if compare.is_file() and compare.suffix != ".json" and (kind := kind_of(compare)):
        raise ModelError(f"--compare: {compare} is {kind}, expected a {REPORT_FILE} of linreg bench")
    old = Report.read(compare)
    check_old(old, settings)
    return old
