"""Run the self-check of the harness with a model, and keep its record for later reports on this machine."""

from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from bench.analysis.self_check import SelfCheck, describe, self_check
from bench.analysis.statistics import Ratio
from bench.environment import describe_environment
from bench.plan.expected import SEED
from bench.plan.subject import Subject
from bench.plan.variants import NULL, REFERENCE, Device, cpu_variants
from bench.run import run_benchmark
from bench.self_check_record import keep
from bench.worker.measurement import torch_threads
from export.bundle.build import build
from export.formats.names import Format
from export.runners.onnxruntime import onnxruntime_runner
from export.runners.torch import torch_runner
from export.source.source import from_checkpoint
from linreg.checkpoint import load
from linreg.config import BENCH_DEFAULTS


def check_harness(model: Path, progress: Callable[[int], None]) -> tuple[SelfCheck, dict[str, Any]]:
    """Check the harness with a model on one thread, and keep the record.

    Args:
        model: bundle or .pth file.
        progress: called with the number of runs completed, of `bench.analysis.self_check.ALL_RUNS`.

    Returns:
        The figures, and the record as JSON values.

    Raises:
        LinregError: the model cannot be loaded, or the record cannot be written.
    """
    source = from_checkpoint(load(model))
    onnx = build(source, Format.ONNX)
    with torch_threads(1):
        check = self_check(
            lambda: torch_runner("eager", load(model).model),
            lambda: onnxruntime_runner("neighbour", onnx),
            source.random_inputs(source.sizes(batch=1), 1.0, SEED),
            lambda completed: default_benchmark(model, completed),
            progress,
        )
    record = {**describe(check), "environment": asdict(describe_environment())}
    keep(record)
    return check, record


def default_benchmark(model: Path, progress: Callable[[int], None]) -> list[Ratio]:
    """Run the default benchmark of the reference and its copy, and return their ratio in each process."""
    rows = [variant for variant in cpu_variants() if variant.name == REFERENCE]
    report = run_benchmark(
        {"model": Subject(path=str(model))},
        {Device.CPU: rows},
        replace(BENCH_DEFAULTS, batches=(1,), single_calls=0),
        bundle=None,
        provided={},
        progress=progress,
    )
    (null,) = (row for row in report.comparisons[0].rows if row.name == NULL)
    return [process.ratio for process in null.processes if process.ratio is not None]
