"""A report as a benchmark gives it, of rows that are measured by hand."""

import math
from dataclasses import asdict, replace

from bench.analysis.environments import EnvironmentAnswers, EnvironmentChange, Environments, EnvironmentVersions
from bench.analysis.lifecycle import lifecycle_rows
from bench.analysis.parts import Comparison, Row, RowProcess, RuntimeProcess, RuntimeRow, Runtimes, Status
from bench.analysis.rows import untimed
from bench.analysis.statistics import Ratio, Verdict
from bench.environment import describe_environment
from bench.plan.variants import FLOOR, NULL, REFERENCE, Device, Kind, Variant
from bench.report.report import Quality, Report, Settings
from bench.worker.lifecycle import Lifecycle
from linreg.config import BenchSettings

BLOCK_NS = [200_001, 200_007, 212_345]
HOST_NS = [300_001, 300_007, 312_345]


def measured(name: str, estimate: float | None = None, *, kind: Kind = Kind.EAGER, **changes) -> Row:
    ratio = None if estimate is None else Ratio(estimate=estimate, low=estimate * 0.99, high=estimate * 1.01)
    values = {
        "worst_error": 0.25,
        "bytes_equal": True,
        "median_s": 5.000175e-6,
        "host_median_s": 7.5e-6,
        "rows_per_s": None if kind is Kind.FLOOR else 64 / 5.000175e-6,
        "ratio": ratio,
        "verdict": None,
        "tails_s": {"p50": 5.1e-6, "p90": 6e-6},
        "tail_calls": 80,
        "processes": (
            RowProcess(ratio=ratio, calls_per_block=40, block_ns=tuple(BLOCK_NS)),
            RowProcess(
                ratio=None if ratio is None else replace(ratio, estimate=estimate * 1.001),
                calls_per_block=39,
                block_ns=tuple(BLOCK_NS),
            ),
        ),
        **changes,
    }
    variant = Variant(name=name, kind=kind)
    return replace(untimed(variant, Status.TIMED, ""), **values)


ROWS = (
    measured(REFERENCE),
    measured(NULL, 1.0),
    measured("third", 0.4, verdict=Verdict.FASTER, launch_bound=True, bytes_equal=False),
    measured(FLOOR, 0.004, kind=Kind.FLOOR, worst_error=None, bytes_equal=None, tails_s={}),
    untimed(Variant(name="wrong", kind=Kind.PT2), Status.WRONG, "wrong: output (0, 0) is nan"),
    untimed(Variant(name="absent", kind=Kind.ONNXRUNTIME_RUN), Status.SKIPPED, "no device"),
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
    threads=2,
)


def settings_of(processes_run: int = 2, **changes) -> Settings:
    return Settings(**asdict(BenchSettings(**changes)), processes_run=processes_run)


def made(*rows: Row, device: Device = Device.CPU, **changes) -> Report:
    rows = tuple(on_device(row) if device is Device.CUDA else row for row in rows or ROWS)
    comparisons = (Comparison(device=device, threads=2, onnxruntime_threads=2, batch=64, rows=rows),)
    values = {
        "state_sha256": "ab" * 32,
        "reference": REFERENCE,
        "scope": "2 processes",
        "command": ("linreg", "bench"),
        "settings": settings_of(batches=(64,), threads=(2,)),
        "comparisons": comparisons,
        "lifecycle": lifecycle_rows(comparisons, [LIFECYCLE]),
        "quality": Quality(preempted=3405, stolen_s=0.12, duration_s=60.4),
        "environment": describe_environment(),
        "model": "penguins",
        **changes,
    }
    return Report(**values)


def on_device(row: Row) -> Row:
    """The same row with blocks on the host's clock too."""
    return replace(row, processes=tuple(replace(process, host_ns=tuple(HOST_NS)) for process in row.processes))


def as_json(*rows: Row, **changes) -> dict:
    return made(*rows, **changes).to_values()


def rows_of(report: dict) -> dict[str, dict]:
    (comparison,) = report["comparisons"]
    return {row["name"]: row for row in comparison["rows"]}


RUNTIMES = Runtimes(
    reference="python",
    missing={"wasm": "no node"},
    rows=tuple(
        RuntimeRow(
            name=name,
            version="1.32",
            batch=4096,
            proof=f"{name}: 5 cases, bit-equal",
            median_s=2e-6,
            rows_per_s=4096 / 2e-6,
            ratio=ratio,
            processes=(RuntimeProcess(calls_per_block=40, block_ns=tuple(BLOCK_NS)),) * 2,
        )
        for name, ratio in (("python", None), ("c", Ratio(estimate=0.5, low=0.0, high=math.inf)))
    ),
)


FASTER = Ratio(estimate=0.92, low=0.912, high=0.929)
NEW = EnvironmentVersions(
    name="new", python="3.12.4", versions={"onnxruntime": "1.32.0", "torch": "2.13.0", "numpy": "2.4.6"}
)


def environments(
    *,
    ratio: Ratio = FASTER,
    verdict: Verdict = Verdict.FASTER,
    new: EnvironmentVersions = NEW,
    row: str = "onnxruntime-run",
    **answers,
) -> Environments:
    """Two environments and one row, which gives the right answers unless `answers` says otherwise."""
    old = EnvironmentVersions(
        name="old", python="3.11.7", versions={"onnxruntime": "1.15.1", "torch": "2.11.0", "numpy": "2.4.6"}
    )
    found = {"problem": "", "cases": 24, "worst_error": 0.5, "bit_identical": True, **answers}
    return Environments(
        found=(old, new),
        answers=tuple(EnvironmentAnswers(environment=name, row=row, **found) for name in ("old", new.name)),
        changes=tuple(
            EnvironmentChange(environment=new.name, row=row, threads=1, batch=batch, ratio=ratio, verdict=verdict)
            for batch in (() if found["problem"] else (1, 4096))
        ),
        missing={"old: torchscript": "old has no torch"},
    )
