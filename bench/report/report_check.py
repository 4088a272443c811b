"""Whether JSON values are a report that another one can be compared with: every field that the gate reads."""

import sys
from collections.abc import Iterator, Mapping
from typing import Any

from bench.analysis.gate import SAME as COMPARED

FIELDS = {"reference": str, "settings": dict, "environment": dict, "comparisons": list}
COMPARISON_FIELDS = {"device": str, "threads": int, "batch": int, "rows": list}
ROW_FIELDS = {"name": str, "answers": bool, "problem": str, "processes": list}

POSSIBLE = (1e-12, 1e12)
"""Ratios beyond these are no measurement, and their quotients would leave what float64 holds."""

LONGEST = 1000
"""Characters of a name, and entries of a list of threads, which messages repeat."""

OTHERS = {
    "the card of a bundle": {"architecture", "features", "target"},
    "the manifest of a bundle": {"files", "state_sha256"},
    "a self-check of the harness": {"passed", "failures"},
    "a file of pytest-benchmark": {"machine_info", "benchmarks"},
}
"""What is taken for a report, by its fields."""


def other_kind(value: Mapping[str, Any]) -> str | None:
    """What this is instead of a report; None where that is not known."""
    return next((name for name, fields in OTHERS.items() if value.keys() >= fields), None)


def first_fault(report: Mapping[str, Any]) -> str | None:
    """The first field that is missing or of a wrong type, in words such as `comparisons[0].batch is missing`."""
    return next(_faults(report), None)


def _faults(report: Mapping[str, Any]) -> Iterator[str]:
    yield from _wrong("", report, FIELDS)
    settings = report["settings"]
    threads = settings.get("threads")
    if not isinstance(threads, list) or not 0 < len(threads) <= LONGEST or not all(map(_is_count, threads)):
        yield "settings.threads is no list of whole numbers"
    for name in COMPARED:
        value = report["environment"].get(name)
        if not (value is None or _is_count(value) or (isinstance(value, str) and len(value) <= LONGEST)):
            yield f"environment.{name} is neither a name nor a whole number"
    for name in ("onnxruntime_threads", "processes_run"):
        if settings.get(name) is not None and not _is_count(settings[name]):
            yield f"settings.{name} is no whole number"
    if not report["comparisons"]:
        yield "comparisons is empty"
    for place, comparison in enumerate(report["comparisons"]):
        yield from _comparison_faults(f"comparisons[{place}]", comparison)


def _comparison_faults(where: str, comparison: Any) -> Iterator[str]:
    if not isinstance(comparison, dict):
        yield f"{where} is no object"
        return
    yield from _wrong(f"{where}.", comparison, COMPARISON_FIELDS)
    for place, row in enumerate(comparison["rows"]):
        yield from _row_faults(f"{where}.rows[{place}]", row)


def _row_faults(where: str, row: Any) -> Iterator[str]:
    if not isinstance(row, dict):
        yield f"{where} is no object"
        return
    yield from _wrong(f"{where}.", row, ROW_FIELDS)
    for name in ("ratio", "verdict"):
        if name not in row:
            yield f"{where}.{name} is missing"
    if row["verdict"] is not None and not isinstance(row["verdict"], str):
        yield f"{where}.verdict is no text"
    if row["ratio"] is None:
        return
    yield from _ratio_faults(f"{where}.ratio", row["ratio"])
    if not row["answers"]:
        return
    if not row["processes"]:
        yield f"{where}.processes is empty"
    for place, process in enumerate(row["processes"]):
        ratio = process.get("ratio") if isinstance(process, dict) else None
        yield from _ratio_faults(f"{where}.processes[{place}].ratio", ratio)


def _ratio_faults(where: str, ratio: Any) -> Iterator[str]:
    """Faults of a ratio, whose open end is null."""
    if not isinstance(ratio, dict) or not ratio.keys() >= {"estimate", "low", "high"}:
        yield f"{where} has no estimate, low and high"
        return
    if not _is_number(ratio["estimate"], *POSSIBLE):
        yield f"{where}.estimate is no number from {POSSIBLE[0]:g} to {POSSIBLE[1]:g}"
    for end in ("low", "high"):
        if ratio[end] is not None and not _is_number(ratio[end], 0.0, sys.float_info.max):
            yield f"{where}.{end} is no number"


def _wrong(where: str, value: Mapping[str, Any], fields: Mapping[str, type]) -> Iterator[str]:
    for name, kind in fields.items():
        if name not in value:
            yield f"{where}{name} is missing"
        elif not isinstance(value[name], kind) or (kind is int and not _is_count(value[name])):
            yield f"{where}{name} is {type(value[name]).__name__}, expected {kind.__name__}"
        elif kind is str and len(value[name]) > LONGEST:
            yield f"{where}{name} has {len(value[name])} characters, expected at most {LONGEST}"


def _is_count(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 < value < 2**53


def _is_number(value: Any, low: float, high: float) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and low <= value <= high
