"""Whether a variant has become slower than it was: ratios to the reference are compared, never nanoseconds.

Nanoseconds of unchanged code move by 1.8 times within minutes on a shared machine; its ratio to a reference that was
timed in the same rounds does not. A row is slower where the estimate of the change passes the limit and its interval
excludes no change: an interval that had to pass the limit itself would miss one in five slowdowns of 5 %.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from bench.analysis.statistics import Ratio, change
from linreg.errors import LinregError

SAME = ("processor", "cores", "cuda")
"""Of the environment: where one of these differs, ratios say nothing about the code."""


@dataclass(frozen=True, kw_only=True)
class Change:
    """How the ratio of one row to the reference has changed.

    Attributes:
        device: of the comparison.
        threads: of the comparison.
        batch: of the comparison.
        name: of the row.
        ratio: new over old, with the 95 % interval over the processes of both.
        slower: beyond the limit.
    """

    device: str
    threads: int
    batch: int
    name: str
    ratio: Ratio
    slower: bool


def compare_reports(old: Mapping[str, Any], new: Mapping[str, Any], *, limit: float | None) -> list[Change]:
    """How every row that both reports have has changed.

    Args:
        old: the JSON values of a report.
        new: of another.
        limit: such as 0.03; None judges none.

    Raises:
        LinregError: they are of other machines, threads or references, or have no row in common.
    """
    check_same(old, new)
    before, after = _ratios(old), _ratios(new)
    shared = [key for key in after if key in before]
    if not shared:
        raise LinregError("--compare: the reports have no row in common; run with the same --batch")
    timed = {key[:3] for key in after}
    if limit is not None and (gone := [key for key in before if key not in after and key[:3] in timed]):
        device, threads, batch, name = gone[0]
        raise LinregError(
            f"--compare: {name} at batch {batch} ({device}, threads {threads}) is in the old report and was not timed "
            f"now, like {len(gone) - 1} others; what is gone cannot pass --fail-slower"
        )
    single = min(len(ratios) for key in shared for ratios in (before[key], after[key]))
    if single < 2:
        raise LinregError("--compare: needs two processes or more in both reports; run with --processes 10")
    return [_judged(key, change(before[key], after[key]), limit) for key in shared]


def check_same(old: Mapping[str, Any], new: Mapping[str, Any]) -> None:
    """See that two reports may be compared; of the new one only `environment`, `settings` and `reference` are read.

    Raises:
        LinregError: they are of other machines, threads or references.
    """
    for name in SAME:
        if old["environment"].get(name) != new["environment"].get(name):
            raise LinregError(
                f"--compare: the old report is of {name} {old['environment'].get(name)!r}, this one of "
                f"{new['environment'].get(name)!r}; compare reports of one machine"
            )
    if old["settings"]["threads"] != new["settings"]["threads"]:
        raise LinregError(
            f"--compare: the old report is of threads {old['settings']['threads']}, this one of "
            f"{new['settings']['threads']}; run with the same --threads"
        )
    before, after = (_onnxruntime_threads(report["settings"]) for report in (old, new))
    if before != after:
        raise LinregError(
            f"--compare: in the old report onnxruntime had threads {before}, in this one {after}; "
            "run with the same --onnxruntime-threads"
        )
    if old["reference"] != new["reference"]:
        raise LinregError(
            f"--compare: the old ratios are to {old['reference']!r}, these to {new['reference']!r}; "
            f"use --reference {old['reference']}"
        )


def _onnxruntime_threads(settings: Mapping[str, Any]) -> list[int]:
    return [settings.get("onnxruntime_threads") or threads for threads in settings["threads"]]


def slower_than_reference(report: Mapping[str, Any], *, limit: float | None) -> list[Change]:
    """The rows of a report beside its reference, as changes: that of `--against` is the older artifact."""
    return [
        _judged((comparison["device"], comparison["threads"], comparison["batch"], row["name"]), ratio, limit)
        for comparison in report["comparisons"]
        for row in comparison["rows"]
        if row["verdict"] is not None and (ratio := _ratio(row["ratio"]))
    ]


def _judged(key: tuple[str, int, int, str], ratio: Ratio, limit: float | None) -> Change:
    device, threads, batch, name = key
    slower = limit is not None and ratio.estimate > 1 + limit and ratio.low > 1
    return Change(device=device, threads=threads, batch=batch, name=name, ratio=ratio, slower=slower)


def _ratios(report: Mapping[str, Any]) -> dict[tuple[str, int, int, str], list[Ratio]]:
    """The ratios of every process, by device, threads, batch and name; rows that answer nothing are no part of it."""
    return {
        (comparison["device"], comparison["threads"], comparison["batch"], row["name"]): [
            _ratio(process["ratio"]) for process in row["processes"]
        ]
        for comparison in report["comparisons"]
        for row in comparison["rows"]
        if row["ratio"] is not None and row["answers"]
    }


def _ratio(value: Mapping[str, Any]) -> Ratio:
    low, high = value["low"], value["high"]
    return Ratio(
        estimate=value["estimate"], low=0.0 if low is None else low, high=float("inf") if high is None else high
    )
