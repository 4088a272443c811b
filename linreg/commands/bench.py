"""`linreg bench`: how fast each variant answers, and whether it still answers the same."""

import sys
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from linreg.commands.bench_gate import check_changes, check_old, judge, show_changes
from linreg.commands.benching import Request, check_output, measure, show_report, write_files
from linreg.commands.options import Json, Model
from linreg.commands.self_check import run_self_check
from linreg.commands.terminal import note, print_json, say
from linreg.config import DeviceChoice

NAME = "bench"
SUMMARY = "Time eager, scripted and ONNX inference."
DEFAULT_BATCHES = "1,4096"
MOST_THREADS = 1024


def run(
    model: Model = None,
    batch: Annotated[str, typer.Option(help="Batch sizes: 1,64,4096.")] = DEFAULT_BATCHES,
    threads: Annotated[str, typer.Option(help="Of torch and onnxruntime, each measured by itself: 1,2.")] = "1",
    processes: Annotated[
        int, typer.Option(help="Fresh processes, at the most; 1 measures in this process only.", min=1, max=1000)
    ] = 10,
    rounds: Annotated[int, typer.Option(help="Blocks of each variant in each process.", min=10, max=100_000)] = 100,
    target: Annotated[str, typer.Option(help="Stop once every interval's half width is this.")] = "1%",
    reference: Annotated[
        str | None, typer.Option(help="The row that ratios refer to. Default: eager-inference_mode.")
    ] = None,
    device: Annotated[
        DeviceChoice, typer.Option(help="auto: the CPU, and CUDA where there is one.")
    ] = DeviceChoice.AUTO,
    compiled: Annotated[bool, typer.Option("--compile", help="Time torch.compile too; its start takes long.")] = False,
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
    state_dict: Annotated[Path | None, typer.Option(help="Parameters for --module, a plain state_dict.")] = None,
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
        bool,
        typer.Option(
            "--self-check",
            help="Measure the harness on this machine; takes 1 to 2 minutes.",
        ),
    ] = False,
    trust: Annotated[
        bool, typer.Option("--trust", help="Run programs that you did not export, of --against and --runtimes.")
    ] = False,
    force: Annotated[bool, typer.Option("--force", help="Overwrite files that linreg did not write.")] = False,
    as_json: Json = False,
) -> None:
    """Time every way to run a model in paired, shuffled rounds in fresh processes, after proving each of them equal.

    A variant that answers wrongly has no latency; exit 3. The figures go to bench.json and report.html.
    """
    if self_check:
        if module or against or compare or fail_slower or output or plots or runtimes or markdown:
            raise typer.BadParameter("--self-check takes no other option than --model and --json")
        run_self_check(model, as_json=as_json)
        return
    limit = None if fail_slower is None else parse_percent("--fail-slower", fail_slower)
    if limit is not None and compare is None and against is None:
        raise typer.BadParameter("--fail-slower needs something to compare with: --compare old.json or --against FILE")
    if limit is not None and processes == 1:
        raise typer.BadParameter("--fail-slower needs two processes or more, since ratios differ between them")
    if module is not None and (model is not None or against is not None):
        raise typer.BadParameter("--module takes no --model and no --against")
    if module is None and (state_dict is not None or inputs):
        raise typer.BadParameter("--state-dict and --input belong to a module of your own: --module FILE.py:NAME")
    request = Request(
        model=model,
        module=module or "",
        state_dict=state_dict,
        inputs=tuple(inputs or ()),
        batches=parse_counts("--batch", batch, 2**20),
        threads=parse_counts("--threads", threads, MOST_THREADS),
        processes=processes,
        rounds=rounds,
        target=parse_percent("--target", target),
        reference=reference,
        device=device,
        compiled=compiled,
        against=against,
        trust=trust,
        runtimes=runtimes,
        command=("linreg", *map(shown_word, sys.argv[1:])),
    )
    old = None
    if compare is not None:
        from bench.report import read_report

        old = read_report(compare)
        check_old(old, batches=request.batches, threads=request.threads, reference=request.row, processes=processes)
    folder = check_output(request, output, plots, compare, force=force)
    report = measure(request)
    changes, failure = judge(report, old, limit)
    if as_json:
        print_json({**report, "changes": [asdict(change) for change in changes]} if changes else report)
    else:
        show_report(report, markdown=markdown)
        if changes and old is not None:
            show_changes(changes, markdown=markdown)
    for path in write_files(report, folder, plots):
        (note if as_json or markdown else say)(f"saved: {path}")
    if failure is not None:
        raise failure
    check_changes(changes, limit)


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
        raise typer.BadParameter(f"{option}: got {text!r}, expected whole numbers from 1 to {most}, such as 1,2")
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
