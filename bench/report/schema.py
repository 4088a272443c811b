"""A report as JSON values: everything that was measured, with every raw block. bench/report/schema.md documents it.

Tables, Markdown, the page and the plots are drawn from these values, so that a bench.json can be shown again later.
"""

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from statistics import median
from typing import Any

from bench.analysis.measurements import Measurements
from bench.analysis.rows import Comparison, Row
from bench.analysis.statistics import Ratio
from bench.plan.variants import NEEDS_TORCH, REFERENCE, UNANSWERING, Kind
from bench.programs.runtimes import PYTHON, RuntimeRow
from bench.report.report_check import first_fault, other_kind
from bench.worker.lifecycle import Lifecycle
from bench.worker.messages import nanoseconds
from linreg.errors import ModelError
from linreg.files import read_json, write_atomic

SCHEMA_VERSION = 2
"""1: one process, by batch. 2: many processes, devices, threads, lifecycle, tails, self-check."""


def to_json(
    report: Measurements,
    *,
    command: Sequence[str],
    self_check: dict[str, Any] | None,
    runtimes: dict[str, Any] | None = None,
) -> dict[str, Any]:
    """A report as JSON values; times in seconds, raw blocks in whole nanoseconds.

    Args:
        report: what was measured.
        command: what made it, as words.
        self_check: the last result of `linreg bench --self-check` on this machine.
        runtimes: of `runtimes_to_json`; None where none were asked for.
    """
    return {
        "schema_version": SCHEMA_VERSION,
        "state_sha256": report.state_sha256,
        "reference": report.settings.reference,
        "scope": "this process only" if report.settings.processes == 1 else f"{report.processes} processes",
        "command": list(command),
        "settings": {
            **asdict(report.settings),
            "batches": list(report.settings.batches),
            "threads": list(report.settings.threads),
            "processes_run": report.processes,
        },
        "environment": report.environment,
        "quality": {
            "preempted": report.preempted,
            "stolen_s": round(report.stolen_s, 2),
            "duration_s": round(report.duration_s, 1),
        },
        "self_check": self_check,
        "comparisons": [_comparison(comparison) for comparison in report.comparisons],
        "lifecycle": lifecycle_rows(report),
        "runtimes": runtimes,
    }


def runtimes_to_json(rows: Sequence[RuntimeRow], missing: Mapping[str, str]) -> dict[str, Any]:
    """Runtimes without Python as JSON values, and why others were not timed."""
    return {
        "reference": PYTHON,
        "missing": dict(missing),
        "rows": [
            {
                "name": row.name,
                "version": row.version,
                "batch": row.batch,
                "proof": row.proof,
                "median_s": row.median_s,
                "rows_per_s": row.batch / row.median_s,
                "ratio": _ratio(row.ratio),
                "processes": [
                    {"calls_per_block": blocks.calls, "block_ns": nanoseconds(blocks.block_s)} for blocks in row.blocks
                ],
            }
            for row in rows
        ],
    }


def report_bytes(report: Mapping[str, Any]) -> bytes:
    """A report on one line a key: its raw blocks would fill a line each otherwise."""
    lines = [f" {json.dumps(key)}: {json.dumps(value, allow_nan=False)}" for key, value in report.items()]
    return ("{\n" + ",\n".join(lines) + "\n}\n").encode()


def write_report(path: Path, report: Mapping[str, Any]) -> None:
    """Write a report to a file."""
    write_atomic(path, report_bytes(report))


def read_report(path: Path) -> dict[str, Any]:
    """Read a report of this version.

    Raises:
        LinregError: it cannot be read.
        ModelError: it is no report, of another version, or lacks what a gate reads.
    """
    value = read_json(path)
    found = value.get("schema_version", "none")
    if found != SCHEMA_VERSION:
        if (other := other_kind(value)) is not None:
            raise ModelError(f"{path}: is {other}, expected a bench.json, which linreg bench writes")
        raise ModelError(
            f"{path}: is no report of schema version {SCHEMA_VERSION} (got {str(found)[:40]}); "
            "make it again: linreg bench"
        )
    if (fault := first_fault(value)) is not None:
        raise ModelError(f"{path}: is a damaged report: {fault}; restore it, or make it again: linreg bench")
    return value


def _comparison(comparison: Comparison) -> dict[str, Any]:
    return {
        "device": comparison.device.value,
        "threads": comparison.threads,
        "onnxruntime_threads": comparison.onnxruntime_threads,
        "batch": comparison.batch,
        "rows": [_row(row, comparison) for row in comparison.rows],
    }


def _row(row: Row, comparison: Comparison) -> dict[str, Any]:
    ratios = row.process_ratios or (None,) * len(row.blocks)
    return {
        "name": row.name,
        "kind": row.variant.kind.value,
        "mode": row.variant.mode.value,
        "origin": row.variant.origin,
        "problem": row.problem,
        "answers": row.variant.kind not in UNANSWERING,
        "worst_error": row.worst_error,
        "bytes_equal": row.bytes_equal,
        "median_s": row.median_s,
        "host_median_s": row.host_median_s,
        "rows_per_s": None if row.median_s is None or row.worst_error is None else comparison.batch / row.median_s,
        "ratio": _ratio(row.ratio),
        "verdict": row.verdict,
        "launch_bound": row.launch_bound,
        "tails_s": dict(row.tails or {}),
        "processes": [
            {
                "ratio": _ratio(ratio),
                "calls_per_block": blocks.calls,
                "block_ns": nanoseconds(blocks.block_s),
                **({} if comparison.device == "cpu" else {"host_ns": nanoseconds(blocks.host_s)}),
            }
            for ratio, blocks in zip(ratios, row.blocks, strict=True)
        ],
    }


def _ratio(ratio: Ratio | None) -> dict[str, float | None] | None:
    """An open end, of the interval of too few rounds, is null: JSON has no infinity."""
    if ratio is None:
        return None
    return {
        name: value if math.isfinite(value) else None
        for name, value in (("estimate", ratio.estimate), ("low", ratio.low), ("high", ratio.high))
    }


def lifecycle_rows(report: Measurements) -> list[dict[str, Any]]:
    """The medians of the samples of each variant, and after how many calls it has caught up with eager.

    A fresh process calls its variant at the smallest batch, so it is the latency at that one which counts. A variant
    that answers wrongly has no figures here either.
    """
    wrong = {
        row.name
        for comparison in report.comparisons
        for row in comparison.rows
        if row.problem and not row.problem.startswith("skipped")
    }
    medians = {
        row.name: row.median_s
        for comparison in sorted(report.comparisons, key=lambda comparison: comparison.batch)[:1]
        for row in comparison.rows
        if row.median_s is not None
    }
    by_name: dict[str, list[Lifecycle]] = {}
    for sample in report.lifecycles:
        if sample.name not in wrong:
            by_name.setdefault(sample.name, []).append(sample)
    kinds = {row.name: row.variant.kind for comparison in report.comparisons for row in comparison.rows}
    rows = [_lifecycle(name, kinds[name], samples) for name, samples in by_name.items()]
    for library in ("torch", "onnxruntime"):  # importing it does not depend on what it is to run
        shared = [row for row in rows if row["library"] == library]
        for row in shared:
            row["import_s"] = median(sample.import_s for other in shared for sample in by_name[other["name"]])
    eager = next((row for row in rows if row["name"].startswith("eager")), None)
    for row in rows:
        row["break_even_calls"] = (
            None
            if eager is None or row is eager
            else break_even(row, eager, medians.get(row["name"]), medians.get(REFERENCE))
        )
    return rows


def _lifecycle(name: str, kind: Kind, samples: list[Lifecycle]) -> dict[str, Any]:
    steady = [sample.calls_until_steady for sample in samples]
    return {
        "name": name,
        "library": "torch" if kind in NEEDS_TORCH else "onnxruntime",
        "samples": len(samples),
        "import_s": median(sample.import_s for sample in samples),
        "load_s": median(sample.load_s for sample in samples),
        "calls_s": [median(sample.calls_s[place] for sample in samples) for place in range(3)],
        "steady_s": median(sample.steady_s for sample in samples),
        "calls_until_steady": None if None in steady else int(median(value for value in steady if value is not None)),
        "memory_bytes": int(median(sample.memory_bytes for sample in samples)),
        "file_bytes": samples[0].file_bytes,
    }


def break_even(
    row: dict[str, Any], eager: dict[str, Any], call_s: float | None, eager_call_s: float | None
) -> int | str | None:
    """After how many calls a variant, with its start, has taken less time than eager with its own.

    Returns:
        0 where it is ahead from the start, `never` where it does not catch up, None where a latency is missing.
    """
    if call_s is None or eager_call_s is None:
        return None
    start, eager_start = (entry["import_s"] + entry["load_s"] + sum(entry["calls_s"]) for entry in (row, eager))
    behind = start - eager_start
    if behind <= 0:
        return 0 if call_s <= eager_call_s else "never"
    return math.ceil(behind / (eager_call_s - call_s)) if call_s < eager_call_s else "never"
