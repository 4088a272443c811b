"""The options of `linreg bench`."""

from pathlib import Path
from typing import Annotated

import typer

from bench.plan.budget import Budget, parse_budget
from bench.plan.settings import parse_counts, parse_fraction, parse_levels
from bench.plan.variants import ONNX_LEVELS
from linreg.cli.options import usage_errors
from linreg.config import (
    BENCH_DEFAULTS,
    FEWEST_ROUNDS,
    MOST_BATCH,
    MOST_PROCESSES,
    MOST_ROUNDS,
    REFERENCE_ROW,
    ROUNDS_TIME_S,
    DeviceChoice,
)
from linreg.memory import usable_cores

ROWS, EFFORT, GATE, OUTPUT, MODEL = "What to time", "How much", "Gate", "Output", "Model"


class Counts(tuple[int, ...]):
    """The integers of an option such as `1,64,4096`; not a plain tuple, which typer reads as several arguments."""


def _batches(text: str) -> Counts:
    with usage_errors():
        return Counts(parse_counts(text, MOST_BATCH))


def _thread_counts(text: str) -> Counts:
    with usage_errors():
        return Counts(parse_counts(text, usable_cores()))


def _thread_count(text: str) -> int:
    if text.isdecimal() and 1 <= int(text) <= usable_cores():
        return int(text)
    raise typer.BadParameter(f"got {text!r}, expected 1 to {usable_cores()}")


def _budget(text: str) -> Budget:
    with usage_errors():
        return parse_budget(text)


class Levels(tuple[str, ...]):
    """The words of an option such as `all,disabled`; not a plain tuple, which typer reads as several arguments."""


def _levels(text: str) -> Levels:
    with usage_errors():
        return Levels(parse_levels(text))


def _fraction(text: str) -> float:
    with usage_errors():
        return parse_fraction(text)


Batches = Annotated[
    Counts | None,
    typer.Option(
        parser=_batches,
        metavar="N,N",
        help=f"Batch sizes. Default: {','.join(map(str, BENCH_DEFAULTS.batches))}.",
        rich_help_panel=ROWS,
    ),
]
Threads = Annotated[
    Counts | None,
    typer.Option(
        parser=_thread_counts,
        metavar="N,N",
        help="Threads of torch and ONNX Runtime; each number is measured separately. "
        f"Default: {','.join(map(str, BENCH_DEFAULTS.threads))}.",
        rich_help_panel=ROWS,
    ),
]
OnnxruntimeThreads = Annotated[
    int | None,
    typer.Option(
        parser=_thread_count,
        metavar="N",
        help="ONNX Runtime threads. Default: same as torch.",
        rich_help_panel=ROWS,
    ),
]
Device = Annotated[
    DeviceChoice,
    typer.Option(
        help="Device to time on; auto is the CPU, and CUDA if available. Default: auto.",
        show_default=False,
        rich_help_panel=ROWS,
    ),
]
Compile = Annotated[
    bool, typer.Option("--compile", help="Also time torch.compile; compilation is slow.", rich_help_panel=ROWS)
]
Variants = Annotated[
    list[str] | None,
    typer.Option(
        "--variant",
        metavar="FILE.py:NAME",
        help="Function that returns a Runner, timed as an additional row. The file is executed, so use only "
        "code you trust.",
        rich_help_panel=ROWS,
    ),
]
Against = Annotated[
    Path | None,
    typer.Option(help="Compare with an artifact of another bundle, such as old/model.onnx.", rich_help_panel=ROWS),
]
Runtimes = Annotated[
    Path | None,
    typer.Option(
        help="Path to deploy/ in the linreg repository; also time its non-Python programs.", rich_help_panel=ROWS
    ),
]
Reference = Annotated[
    str | None,
    typer.Option(help=f"Row that ratios refer to. Default: {REFERENCE_ROW}.", rich_help_panel=ROWS),
]
SelfCheck = Annotated[
    bool,
    typer.Option(
        "--self-check",
        help="Check the benchmark harness itself on this machine instead; takes 1 to 2 minutes.",
        rich_help_panel=ROWS,
    ),
]
Processes = Annotated[
    int | None,
    typer.Option(
        help="Maximum number of fresh processes; 1 measures in this process only. "
        f"Default: {BENCH_DEFAULTS.processes}, and up to {BENCH_DEFAULTS.more_processes} more until every "
        "interval's half-width is at most 2 %.",
        min=1,
        max=MOST_PROCESSES,
        rich_help_panel=EFFORT,
    ),
]
Rounds = Annotated[
    int | None,
    typer.Option(
        help="Rounds per process; each round times one block of every variant. Default: 99, and more while an interval "
        f"within the process is wider than --target, for up to {ROUNDS_TIME_S:.0f} seconds.",
        show_default=False,
        min=FEWEST_ROUNDS,
        max=MOST_ROUNDS,
        rich_help_panel=EFFORT,
    ),
]
Target = Annotated[
    float | None,
    typer.Option(
        parser=_fraction,
        metavar="PERCENT",
        help="Stop once the half-width of every confidence interval is below this. "
        f"Default: {BENCH_DEFAULTS.target * 100:.0f} %.",
        rich_help_panel=EFFORT,
    ),
]
Compare = Annotated[
    Path | None,
    typer.Option(help="Earlier bench.json to compare with: show how each ratio has changed.", rich_help_panel=GATE),
]
FailSlower = Annotated[
    float | None,
    typer.Option(
        parser=_fraction,
        metavar="PERCENT",
        help="With --compare, --against or --env: exit 4 if a variant is slower by more than this, such as 3%.",
        rich_help_panel=GATE,
    ),
]
Output = Annotated[
    Path | None,
    typer.Option(
        "--output",
        "-o",
        help="Folder for bench.json and report.html. Default: the bundle; with --env, --against or --module alone, "
        "nothing is saved.",
        rich_help_panel=OUTPUT,
    ),
]
Plots = Annotated[Path | None, typer.Option(help="Folder for the plots, as SVG and PNG.", rich_help_panel=OUTPUT)]
Markdown = Annotated[
    bool, typer.Option("--markdown", help="Print the tables as Markdown, for a pull request.", rich_help_panel=OUTPUT)
]
Force = Annotated[
    bool, typer.Option("--force", help="Overwrite files that linreg did not write.", rich_help_panel=OUTPUT)
]
Trust = Annotated[
    bool,
    typer.Option(
        "--trust",
        help="Run programs that you did not export: those of the bundle, --against and --runtimes.",
        rich_help_panel=MODEL,
    ),
]
Budgets = Annotated[
    list[Budget] | None,
    typer.Option(
        "--budget",
        parser=_budget,
        metavar="[ROW:]pN=TIME",
        help="Exit 4 if this percentile of calls timed one by one takes longer, such as p99=10ms for all rows or "
        "onnxruntime-run:p99=10ms for one; may be repeated.",
        rich_help_panel=GATE,
    ),
]
Github = Annotated[
    bool,
    typer.Option(
        "--github",
        help="Also append the tables as Markdown to $GITHUB_STEP_SUMMARY, if it is set.",
        rich_help_panel=OUTPUT,
    ),
]
BenchmarkJson = Annotated[
    Path | None,
    typer.Option(
        help="Also write the ratios to this file, as customSmallerIsBetter of github-action-benchmark.",
        rich_help_panel=OUTPUT,
    ),
]
OnnxOptimization = Annotated[
    Levels | None,
    typer.Option(
        "--onnx-optimization",
        parser=_levels,
        metavar="LEVEL,LEVEL",
        help=f"Levels of onnxruntime's graph optimisation, each a row: {', '.join(ONNX_LEVELS)}. "
        f"Default: {ONNX_LEVELS[0]}.",
        rich_help_panel=ROWS,
    ),
]
