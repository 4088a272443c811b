"""Decide whether a variant has become slower. The gate compares ratios to the reference, never nanoseconds.

On a shared machine, the time of unchanged code moves by a factor of 1.8 within minutes; its ratio to a reference timed
in the same rounds does not. A row is slower if its estimated slowdown exceeds the limit and the whole interval of the
change lies above 1. If the whole interval had to exceed the limit, one in five slowdowns of 5 % would be missed.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from bench.analysis.parts import Status
from bench.analysis.statistics import Ratio, change
from bench.environment import Environment
from bench.report.report import Report, Settings
from linreg.config import BenchSettings
from linreg.errors import LinregError

SAME = ("processor", "cores", "cuda")
"""Fields of the environment: if one of them differs, a change of the ratios says nothing about the code."""

PACKAGES = ("torch", "onnxruntime", "onnxruntime-gpu", "numpy")
"""Packages whose versions must be the same: another torch may have changed the reference itself."""

Key = tuple[str, int, int, str]
"""Device, threads, batch size and name of a row."""


@dataclass(frozen=True, kw_only=True)
class Change:
    """How the ratio of one row to the reference has changed.

    Attributes:
        device: device of the comparison.
        threads: number of torch threads.
        batch: batch size.
        name: name of the row.
        ratio: new ratio over old ratio, with its 95 % interval over the processes of both reports.
        slower: whether the slowdown exceeds the limit, and its whole interval lies above 1.
    """

    device: str
    threads: int
    batch: int
    name: str
    ratio: Ratio
    slower: bool


def compare_reports(old: Report, new: Report, *, limit: float | None) -> list[Change]:
    """Return the change of every row that both reports have.

    Args:
        old: the earlier report.
        new: the later report.
        limit: largest slowdown allowed, such as 0.03; None: no limit.

    Raises:
        LinregError: the reports differ in machine, packages, threads or reference, or have no row in common; a report
            has fewer than two processes; or there is a limit, and a row is missing in a comparison that is in both.
    """
    check_same(old, new.environment, new.settings)
    before, after = _ratios(old), _ratios(new)
    shared = [key for key in after if key in before]
    if not shared:
        raise LinregError("--compare: the reports have no row in common; run with the same --batch")
    timed = {key[:3] for key in after}
    if limit is not None and (gone := [key for key in before if key not in after and key[:3] in timed]):
        device, threads, batch, name = gone[0]
        more = f" ({len(gone) - 1} others also missing)" if len(gone) > 1 else ""
        raise LinregError(
            f"--compare: {name} at batch {batch} ({device}, threads {threads}) was in the old report but was not timed "
            f"this time{more}; --fail-slower fails if a row is missing"
        )
    fewest = min(len(ratios) for key in shared for ratios in (before[key], after[key]))
    if fewest < 2:
        raise LinregError("--compare: needs two processes or more in both reports; run with --processes 10")
    return [_judged(key, change(before[key], after[key]), limit) for key in shared]


def check_same(old: Report, environment: Environment, settings: BenchSettings | Settings) -> None:
    """Check that an earlier report can be compared with a benchmark, which need not have run yet.

    Raises:
        LinregError: the two differ in machine, packages, threads or reference, or the report is one of environments.
    """
    if old.environments is not None:
        raise LinregError(
            "--compare: the old report compares environments with each other, and has no ratios to eager; give the "
            "environments again: --env old=PYTHON --env new=PYTHON"
        )
    for name in SAME:
        then, now = getattr(old.environment, name), getattr(environment, name)
        if then != now:
            raise LinregError(
                f"--compare: the old report has {name} {then!r}, this one {now!r}; compare reports of the same machine"
            )
    _check_same_versions(old.environment, environment)
    if old.settings.threads != settings.threads:
        raise LinregError(
            f"--compare: the old report has threads {list(old.settings.threads)}, this one "
            f"{list(settings.threads)}; run with the same --threads"
        )
    before, after = (_onnxruntime_threads(entry) for entry in (old.settings, settings))
    if before != after:
        raise LinregError(
            f"--compare: the old report has onnxruntime threads {before}, this one {after}; "
            "run with the same --onnxruntime-threads"
        )
    if old.reference != settings.reference:
        raise LinregError(
            f"--compare: the old report has the reference {old.reference!r}, this one {settings.reference!r}; "
            f"use --reference {old.reference}"
        )


def _check_same_versions(old: Environment, new: Environment) -> None:
    before, after = ({**entry.versions, "Python": entry.python} for entry in (old, new))
    for name in (*PACKAGES, "Python"):
        if before.get(name) != after.get(name):
            raise LinregError(
                f"--compare: the old report has {name} {before.get(name, 'none')!r}, this one "
                f"{after.get(name, 'none')!r}, "
                "which may have changed the reference too; to compare versions, time both at once: "
                "--env old=PYTHON --env new=PYTHON"
            )


def _onnxruntime_threads(settings: BenchSettings | Settings) -> list[int]:
    return [settings.onnxruntime_threads or threads for threads in settings.threads]


def slower_than_reference(report: Report, *, limit: float | None) -> list[Change]:
    """Return the judged rows of a report as changes from its reference (with `--against`, the other artifact)."""
    return [
        _judged((comparison.device, comparison.threads, comparison.batch, row.name), row.ratio, limit)
        for comparison in report.comparisons
        for row in comparison.rows
        if row.verdict is not None and row.ratio is not None
    ]


def gate_line(changes: Sequence[Change], limit: float) -> str:
    """Say in one line whether the gate passed, and how much of the limit the worst row took, if one is slower."""
    slower = [change for change in changes if change.slower]
    worst = max(slower or changes, key=lambda change: change.ratio.estimate)
    alone = len({(change.device, change.threads, change.batch) for change in changes}) == 1
    name = worst.name if alone else f"{worst.name} at batch {worst.batch}"
    if worst.ratio.estimate < 0.9995:  # which is shown as 0.1 % faster
        return f"gate: passed; no row is slower; the nearest is {name}, {(1 - worst.ratio.estimate) * 100:.1f} % faster"
    took = f"the worst is {name}, {_percent(worst.ratio.estimate)}"
    between = f"({_percent(worst.ratio.low)} to {_percent(worst.ratio.high)})"
    if slower:
        return (
            f"gate: failed; {took} {between} of {limit * 100:g} % allowed; exceeded by {len(slower)} of {len(changes)}"
        )
    unsure = f"; its interval includes 0 {between}" if worst.ratio.estimate > 1 + limit else ""
    return f"gate: passed; {took} of {limit * 100:g} % allowed{unsure}"


def _percent(ratio: float) -> str:
    return "∞" if math.isinf(ratio) else f"{(ratio - 1) * 100:+.1f} %"


def first_wrong(report: Report) -> str:
    """Return what is wrong with the first variant whose outputs are wrong; empty if there is none."""
    rows = (row for comparison in report.comparisons for row in comparison.rows)
    return next((row.reason for row in rows if row.status is Status.WRONG), "")


def _judged(key: Key, ratio: Ratio, limit: float | None) -> Change:
    device, threads, batch, name = key
    slower = limit is not None and ratio.estimate > 1 + limit and ratio.low > 1
    return Change(device=device, threads=threads, batch=batch, name=name, ratio=ratio, slower=slower)


def _ratios(report: Report) -> dict[Key, list[Ratio]]:
    """Return the ratios of all processes, by row; the reference and rows without outputs are left out."""
    return {
        (comparison.device, comparison.threads, comparison.batch, row.name): [
            process.ratio for process in row.processes if process.ratio is not None
        ]
        for comparison in report.comparisons
        for row in comparison.rows
        if row.ratio is not None and row.answers
    }
