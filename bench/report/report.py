"""Read and write a benchmark report, bench.json; it has everything that was measured, down to each block.

Tables, Markdown, the page, the plots and the gate are made from a `Report`. bench/report/schema.md documents the JSON.
"""

import json
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, is_dataclass
from pathlib import Path
from typing import Annotated, Any

from msgspec import Meta, ValidationError, convert

from bench.analysis.environments import Environments
from bench.analysis.parts import LONGEST, Comparison, Count, LifecycleRow, Name, Row, RowProcess, Runtimes, Status
from bench.analysis.statistics import Ratio
from bench.environment import Environment
from linreg.config import MAX_JSON_BYTES
from linreg.errors import ModelError
from linreg.files import read_bytes, write_atomic
from linreg.json_files import parse_json

SCHEMA_VERSION = 2
"""1: one process, by batch. 2: many processes, devices, threads, lifecycle, tails, self-check."""

SKIPPED = "skipped: "
"""How `problem` of bench.json begins for a variant that was not run."""

OTHERS = {
    "the card of a bundle": {"architecture", "features", "target"},
    "the manifest of a bundle": {"files", "state_sha256"},
    "a self-check of the harness": {"passed", "failures"},
    "a file of pytest-benchmark": {"machine_info", "benchmarks"},
}
"""JSON files that may be mistaken for a report, recognised by their fields."""


@dataclass(frozen=True, kw_only=True)
class Settings:
    """The `linreg.config.BenchSettings` of a report, and how many processes ran.

    Attributes:
        batches: batch sizes.
        threads: intra-op threads of torch and ONNX Runtime; each number is measured separately.
        onnxruntime_threads: ONNX Runtime threads; None: same as torch.
        rounds: blocks of every variant at each batch size, in each process; None: as many as narrow intervals needed.
        processes: maximum number of processes.
        more_processes: maximum number of additional processes; they run while an interval's half-width exceeds 2 %.
        target: the benchmark stops once the half-width of every interval is at most this.
        reference: name of the row that ratios refer to.
        single_calls: calls timed one by one in each process.
        processes_run: number of processes that ran, on the device with the most.
    """

    batches: tuple[int, ...]
    threads: Annotated[tuple[Count, ...], Meta(min_length=1, max_length=LONGEST)]
    onnxruntime_threads: Count | None
    rounds: int | None
    processes: int
    more_processes: int
    target: float
    reference: str
    single_calls: int
    processes_run: Annotated[int, Meta(ge=0, lt=2**53)]

    @property
    def scope(self) -> str:
        """Where the intervals hold: `this process only`, or how many processes."""
        return "this process only" if self.processes == 1 else f"{self.processes_run} processes"


@dataclass(frozen=True, kw_only=True)
class Quality:
    """What disturbed the measurement.

    Attributes:
        preempted: number of involuntary context switches while rows were built, checked and timed, over all processes.
        stolen_s: seconds of processor time that the host took from this machine.
        duration_s: seconds of the whole benchmark.
        shortened: why fewer processes or rounds ran than by default; empty if that was not due to the time.
    """

    preempted: int
    stolen_s: float
    duration_s: float
    shortened: Name = ""


@dataclass(frozen=True, kw_only=True, repr=False)
class Report:
    """The results of a benchmark.

    Attributes:
        state_sha256: SHA-256 that identifies the weights.
        reference: name of the row that ratios refer to.
        scope: where the intervals hold: `this process only`, or how many processes.
        command: the command that made the report, as a sequence of words.
        settings: settings of the benchmark.
        environment: machine and versions.
        quality: what disturbed the measurement.
        self_check: the figures of the last `linreg bench --self-check` on this machine; None without one.
        comparisons: one for each combination of device, number of threads and batch size.
        lifecycle: one row per variant that some process loaded before any other.
        lifecycle_missing: names of the variants that have no such row because too few processes ran.
        runtimes: timings of the model in runtimes that need no Python; None if not timed.
        sizes: the sizes of the dynamic axes other than the batch, by name.
        model: name of the bundle, file or module that was timed, without its folder; empty if it is not known.
        environments: what a comparison of Python environments found; None without one.

    Example:
        >>> report = Report.read("artifacts/reference/line/bench.json")
        >>> report.comparisons[0].rows[0].name
        'eager-inference_mode'
    """

    state_sha256: str
    reference: Name
    scope: str
    command: tuple[str, ...] = ()
    settings: Settings
    environment: Environment
    quality: Quality
    self_check: Mapping[str, Any] | None = None
    comparisons: Annotated[tuple[Comparison, ...], Meta(min_length=1)]
    lifecycle: tuple[LifecycleRow, ...] = ()
    lifecycle_missing: tuple[Name, ...] = ()
    runtimes: Runtimes | None = None
    sizes: Mapping[str, int] = field(default_factory=dict)
    model: Name = ""
    environments: Environments | None = None

    @classmethod
    def read(cls, path: Path | str) -> "Report":
        """Read a bench.json.

        Raises:
            LinregError: the file cannot be read.
            ModelError: the text is not a report of this schema version, or is damaged.
        """
        return cls.from_json(read_bytes(Path(path), limit=MAX_JSON_BYTES), name=str(path))

    @classmethod
    def from_json(cls, text: str | bytes, *, name: str = "bench.json") -> "Report":
        """Parse the text of a bench.json.

        Args:
            text: text that `to_json` returned, or its UTF-8 bytes.
            name: name of the file in error messages.

        Raises:
            ModelError: the text is not a report of this schema version, or is damaged.
        """
        value = parse_json(Path(name), text.encode() if isinstance(text, str) else text)
        found = value.get("schema_version", "none")
        if found != SCHEMA_VERSION:
            for other, names in OTHERS.items():
                if value.keys() >= names:
                    raise ModelError(f"{name}: is {other}, expected a bench.json, which linreg bench writes")
            raise ModelError(
                f"{name}: got schema version {str(found)[:40]}, expected a report of version {SCHEMA_VERSION}; "
                "make it again: linreg bench"
            )
        try:
            return convert(_parsed(value), cls)
        except (ValidationError, RecursionError) as error:
            raise ModelError(
                f"{name}: is a damaged report: {_fault(str(error))}; restore it, or make it again: linreg bench"
            ) from None

    def to_values(self) -> dict[str, Any]:
        """Return the report as JSON values, with times in seconds and raw blocks in whole nanoseconds."""
        return {"schema_version": SCHEMA_VERSION, **_values(self)}

    def to_json(self) -> str:
        """Return the text of bench.json with one line per top-level key; full indentation gives each block a line."""
        lines = [f" {json.dumps(key)}: {json.dumps(value, allow_nan=False)}" for key, value in self.to_values().items()]
        return "{\n" + ",\n".join(lines) + "\n}\n"

    def to_html(self, path: Path | str) -> None:
        """Write the report as one HTML page that needs no other file.

        Raises:
            LinregError: the file cannot be written.
        """
        from bench.report.page import to_page

        write_atomic(Path(path), to_page(self).encode())

    def _repr_html_(self) -> str:
        """Return the report as an HTML fragment, which notebooks display."""
        from bench.report.notebook import to_fragment

        return to_fragment(self)

    def __repr__(self) -> str:
        from bench.report.findings import findings

        found = "; ".join(f"{finding.where}: {finding.headline}" for finding in findings(self))
        return f"Report({self.scope}, {found or 'nothing was timed'})"


def _fault(error: str) -> str:
    """Reword an error of msgspec to name the place first; the middle of a long error is cut out."""
    text, _, place = error.partition(" - at `$")
    place = place.removeprefix(".").removesuffix("`")
    if field := re.fullmatch(r"Object missing required field `(.*)`", text):
        fault = f"{place}.{field[1]}".removeprefix(".") + " is missing"
    else:
        fault = f"{place}: {text}" if place else text
    return fault if len(fault) <= 240 else f"{fault[:120]}…{fault[-120:]}"


OPTIONAL: dict[type, tuple[str, ...]] = {
    Report: ("lifecycle_missing", "sizes", "model", "environments"),
    Quality: ("shortened",),
    LifecycleRow: ("threads",),
    Row: ("tail_calls", "onnx_optimization"),
    RowProcess: ("host_ns",),
}
"""Fields that are left out of the JSON if they are empty."""


def _values(value: Any) -> Any:
    """Return a part of a report as JSON values. An open end of an interval is null, since JSON has no infinity."""
    if isinstance(value, list | tuple):
        return [_values(entry) for entry in value]
    if not is_dataclass(value):
        return dict(value) if isinstance(value, Mapping) else value
    found = {entry.name: _values(getattr(value, entry.name)) for entry in fields(value)}
    if isinstance(value, Ratio):
        return {key: number if math.isfinite(number) else None for key, number in found.items()}
    for name in OPTIONAL.get(type(value), ()):
        if not found[name]:
            del found[name]
    if isinstance(value, Row):
        return {("problem" if key == "status" else key): entry for key, entry in found.items() if key != "reason"} | {
            "problem": value.problem
        }
    return found


def _parsed(value: Any) -> Any:
    """Undo the changes of `_values`: split `problem` into status and reason, and restore open ends of intervals."""
    if isinstance(value, list):
        return value if value and isinstance(value[0], int) else [_parsed(entry) for entry in value]
    if not isinstance(value, dict):
        return value
    found = {key: _parsed(entry) for key, entry in value.items()}
    if isinstance(problem := found.get("problem"), str):
        skipped = problem.startswith(SKIPPED)
        found["status"] = Status.SKIPPED if skipped else Status.WRONG if problem else Status.TIMED
        found["reason"] = problem.removeprefix(SKIPPED) if skipped else problem
    if found.keys() >= {"estimate", "low", "high"}:
        ends = {"low": 0.0, "high": math.inf}
        found |= {key: end for key, end in ends.items() if found[key] is None}
    return found
