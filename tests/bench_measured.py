"""A report as a benchmark gives it, of rows that are measured by hand."""

import math
from dataclasses import replace

import numpy as np

from bench.analysis.measurements import Measurements
from bench.analysis.rows import Comparison, Row
from bench.analysis.statistics import Ratio, Verdict
from bench.environment import describe_environment
from bench.plan.variants import FLOOR, NULL, REFERENCE, Device, Kind, Variant
from bench.programs.runtimes import RuntimeRow
from bench.report.schema import runtimes_to_json, to_json
from bench.worker.lifecycle import Lifecycle
from bench.worker.rounds import Blocks
from linreg.config import BenchSettings

BLOCK_NS = [200_001, 200_007, 212_345]
HOST_NS = [300_001, 300_007, 312_345]


def blocks(calls: int = 40) -> Blocks:
    return Blocks(calls=calls, block_s=np.array(BLOCK_NS) * 1e-9, host_s=np.array(HOST_NS) * 1e-9)


def measured(name: str, estimate: float | None = None, *, kind: Kind = Kind.EAGER, **changes) -> Row:
    ratio = None if estimate is None else Ratio(estimate=estimate, low=estimate * 0.99, high=estimate * 1.01)
    values = {
        "worst_error": 0.25,
        "bytes_equal": True,
        "blocks": (blocks(), blocks(39)),
        "median_s": 5.000175e-6,
        "host_median_s": 7.5e-6,
        "ratio": ratio,
        "process_ratios": () if ratio is None else (ratio, replace(ratio, estimate=estimate * 1.001)),
        "tails": {"p50": 5.1e-6, "p90": 6e-6},
        **changes,
    }
    return Row(variant=Variant(name=name, kind=kind), **values)


ROWS = (
    measured(REFERENCE),
    measured(NULL, 1.0),
    measured("third", 0.4, verdict=Verdict.FASTER, launch_bound=True, bytes_equal=False),
    measured(FLOOR, 0.004, kind=Kind.FLOOR, worst_error=None, bytes_equal=None, tails={}),
    Row(variant=Variant(name="wrong", kind=Kind.PT2), problem="wrong: output (0, 0) is nan", bytes_equal=False),
    Row(variant=Variant(name="absent", kind=Kind.PT2), problem="skipped: no device"),
)
LIFECYCLE = Lifecycle(
    name=REFERENCE,
    import_s=1.5,
    load_s=0.05,
    calls_s=(0.08, 0.0004, 0.00002),
    steady_s=7e-6,
    calls_until_steady=9,
    memory_bytes=2**27,
    file_bytes=0,
)


def made(*rows: Row, device: Device = Device.CPU, **changes) -> Measurements:
    values = {
        "state_sha256": "ab" * 32,
        "settings": BenchSettings(batches=(64,), threads=(2,), reference=REFERENCE),
        "processes": 2,
        "comparisons": (Comparison(device=device, threads=2, onnxruntime_threads=2, batch=64, rows=rows or ROWS),),
        "lifecycles": (LIFECYCLE,),
        "preempted": 3405,
        "stolen_s": 0.123456,
        "duration_s": 60.4321,
        "environment": describe_environment(),
        **changes,
    }
    return Measurements(**values)


def as_json(*rows: Row, self_check=None, runtimes=None, **changes) -> dict:
    return to_json(made(*rows, **changes), command=("linreg", "bench"), self_check=self_check, runtimes=runtimes)


def rows_of(report: dict) -> dict[str, dict]:
    (comparison,) = report["comparisons"]
    return {row["name"]: row for row in comparison["rows"]}


RUNTIMES = runtimes_to_json(
    [
        RuntimeRow(
            name=name,
            version="1.32",
            batch=4096,
            proof=f"{name}: 5 cases, bit-equal",
            blocks=(blocks(), blocks()),
            median_s=2e-6,
            ratio=ratio,
        )
        for name, ratio in (("python", None), ("c", Ratio(estimate=0.5, low=0.0, high=math.inf)))
    ],
    {"wasm": "no node"},
)
