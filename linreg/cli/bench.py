"""`linreg bench`: how fast each variant answers, and whether it still answers the same."""

import os
import re
import sys
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer

from bench.plan.variants import AGAINST, REFERENCE
from linreg.cli.bench_gate import check_changes, check_old, judge, show_changes
from linreg.cli.bench_output import REPORT_FILE, check_output, report_changes, show_report, write_files
from linreg.cli.bench_request import Request, measure
from linreg.cli.bench_usage import check_usage
from linreg.cli.file_kinds import kind_of
from linreg.cli.options import Json, Model, Wait, given
from linreg.cli.self_check import run_self_check
from linreg.cli.terminal import note, print_json, say
from linreg.config import BENCH_DEFAULTS, BenchSettings, DeviceChoice
from linreg.errors import ModelError

NAME = "bench"
SUMMARY = "Time eager, scripted and ONNX inference."
EXAMPLES = ("linreg bench -m penguins --batch 1,64", "linreg bench -m penguins --compare old.json --fail-slower 3%")
DEFAULT_BATCHES = ",".join(map(str, BENCH_DEFAULTS.batches))
DEFAULT_THREADS = ",".join(map(str, BENCH_DEFAULTS.threads))
DEFAULT_PROCESSES = (
    f"{BENCH_DEFAULTS.processes}, and up to {BENCH_DEFAULTS.more_processes} more until all are within 2%"
)
MOST_BATCH = 2**20


def run(
    context: typer.Context,
    model: Model = None,
    batch: Annotated[str, typer.Option(help="Batch sizes: 1,64,4096.")] = DEFAULT_BATCHES,
    threads: Annotated[
        str, typer.Option(help="Of torch and onnxruntime, each measured by itself: 1,2.")
    ] = DEFAULT_THREADS,
    onnxruntime_threads: Annotated[
        int | None, typer.Option(help="Of onnxruntime, where it shall have others than torch.", min=1)
    ] = None,
    processes: Annotated[
        int | None,
        typer.Option(
            help="Fresh processes, at the most; 1 measures in this process only.",
            min=1,
            max=1000,
            show_default=DEFAULT_PROCESSES,
        ),
    ] = None,
    rounds: Annotated[
        int, typer.Option(help="Blocks of each variant in each process.", min=10, max=100_000)
    ] = BENCH_DEFAULTS.rounds,
    target: Annotated[
        str, typer.Option(help="Stop once every interval's half width is this.")
    ] = f"{BENCH_DEFAULTS.target:.0%}",
    reference: Annotated[
        str | None, typer.Option(help="The row that ratios refer to. Default: eager-inference_mode.")
    ] = None,
    device: Annotated[
        DeviceChoice, typer.Option(help="auto: the CPU, and CUDA where there is one.")
    ] = DeviceChoice.AUTO,
    compiled: Annotated[bool, typer.Option("--compile", help="Time torch.compile too; its start takes long.")] = False,
    variants: Annotated[
        list[str] | None,
        typer.Option(
            "--variant", help="A row of your own, FILE.py:NAME, a function that makes a Runner. The file is run."
        ),
    ] = None,
    against: Annotated[
        Path | None, typer.Option(help="An artifact of another bundle: ratios of this model's to that one.")
    ] = None,
    compare: Annotated[Path | None, typer.Option(help="An older bench.json: how each ratio has changed.")] = None,
    fail_slower: Annotated[
        str | None, typer.Option(help="With --compare or --against: exit 4 where one is slower by more, such as 3%.")
    ] = None,
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
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Folder for bench.json and report.html. Default: the bundle.")
    ] = None,
    plots: Annotated[Path | None, typer.Option(help="Folder for the plots, as SVG and PNG.")] = None,
    markdown: Annotated[bool, typer.Option("--markdown", help="Print Markdown, for a pull request.")] = False,
    runtimes: Annotated[
        Path | None, typer.Option(help="Folder deploy of the repository: time its programs without Python too.")
    ] = None,
    self_check: Annotated[
        bool, typer.Option("--self-check", help="Measure the harness on this machine; takes 1 to 2 minutes.")
    ] = False,
    trust: Annotated[
        bool,
        typer.Option(
            "--trust", help="Run programs that you did not export: of the bundle, of --against and --runtimes."
        ),
    ] = False,
    force: Annotated[bool, typer.Option("--force", help="Overwrite files that linreg did not write.")] = False,
    wait: Wait = False,
    as_json: Json = False,
) -> None:
    """Time every way to run a model in paired, shuffled rounds in fresh processes, after proving each of them equal.

    A variant that answers wrongly has no latency; exit 3. The figures go to bench.json and report.html.
    """
    if self_check:
        if given(context) - {"self_check", "model", "as_json"}:
            raise typer.BadParameter("--self-check takes no other option than --model and --json")
        run_self_check(model, as_json=as_json)
        return
    settings = BenchSettings(
        batches=parse_counts("--batch", batch, MOST_BATCH),
        threads=parse_counts("--threads", threads, cores()),
        onnxruntime_threads=onnxruntime_threads,
        processes=processes or BENCH_DEFAULTS.processes,
        more_processes=BENCH_DEFAULTS.more_processes if processes is None else 0,
        rounds=rounds,
        target=parse_percent("--target", target),
        reference=reference or (REFERENCE if against is None else AGAINST),
    )
    request = Request(
        model=model,
        module=module or "",
        state_dict=state_dict,
        inputs=tuple(inputs or ()),
        settings=settings,
        device=device,
        compiled=compiled,
        variants=tuple(variants or ()),
        against=against,
        trust=trust,
        runtimes=runtimes,
        command=("linreg", *map(shown_word, sys.argv[1:])),
    )
    limit = None if fail_slower is None else parse_percent("--fail-slower", fail_slower)
    check_usage(context, request, compare, limit, cores=cores())
    old = _read_old(compare, settings)
    folder = check_output(request, output, plots, compare, force=force)
    with report_changes(folder, command="linreg bench", wait=wait) as files:
        report = measure(request)
        changes, failure = judge(report, old, limit)
        if as_json:
            print_json({**report, "changes": [asdict(change) for change in changes]} if changes else report)
        else:
            show_report(report, markdown=markdown)
            if changes and old is not None:
                show_changes(changes, markdown=markdown)
        for path in write_files(report, files, plots):
            (note if as_json or markdown else say)(f"saved: {path}")
    if failure is not None:
        raise failure
    check_changes(changes, limit)


def _read_old(compare: Path | None, settings: BenchSettings) -> Mapping[str, Any] | None:
    """The report to compare with, seen before the work."""
    if compare is None:
        return None
    from bench.report.schema import read_report

    if compare.is_dir():
        raise ModelError(f"--compare: {compare} is a folder, expected a report; use {compare / REPORT_FILE}")
    if compare.is_file() and compare.suffix != ".json" and (kind := kind_of(compare)):
        raise ModelError(f"--compare: {compare} is {kind}, expected a {REPORT_FILE} of linreg bench")
    old = read_report(compare)
    check_old(old, settings)
    return old


def cores() -> int:
    """The processors that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def shown_word(word: str) -> str:
    """A word of the command as a report may name it: of a path of this machine only its end."""
    option, equals, value = word.rpartition("=") if word.startswith("--") else ("", "", word)
    return f"{option}{equals}.../{Path(value).name}" if value.startswith(("/", "~")) else word


def parse_counts(option: str, text: str, most: int) -> tuple[int, ...]:
    """Whole numbers such as `1,64,4096`, each once.

    Raises:
        typer.BadParameter: one is not a whole number from 1 to `most`.
    """
    try:
        counts = tuple(dict.fromkeys(int(piece) for piece in text.split(",")))
    except ValueError:
        counts = ()
    if not counts or not all(1 <= count <= most for count in counts):
        listed = re.fullmatch(r"\D*(\d+\D+)+\d+\D*", text) and f": {option} {','.join(re.findall('[0-9]+', text))}"
        raise typer.BadParameter(
            f"{option}: got {text!r}, expected whole numbers from 1 to {most}, with commas between{listed or ''}"
        )
    return counts


def parse_percent(option: str, text: str) -> float:
    """`3%` or `0.03` as 0.03.

    Raises:
        typer.BadParameter: it is neither, or not between 0 and 100 %.
    """
    try:
        value = float(text.removesuffix("%")) / (100 if text.endswith("%") else 1)
    except ValueError:
        value = -1.0
    if not 0 < value < 1:
        raise typer.BadParameter(f"{option}: got {text!r}, expected a part such as 3% or 0.03; 3 alone is 300 %")
    return value
