"""Say in one line for each environment and row whether one may upgrade: versions, answers, and speed by batch size."""

from dataclasses import asdict
from typing import Any

from bench.analysis.environments import EnvironmentAnswers, EnvironmentChange, Environments, EnvironmentVersions
from bench.analysis.statistics import Verdict
from bench.report.gate import Change
from bench.report.report import Report

LIBRARY = {"onnxruntime": ("onnxruntime", "onnxruntime-gpu"), "torch": ("torch",)}
"""Packages that a row of each library is named after, if they are there."""


def environment_lines(found: Environments) -> list[str]:
    """Return what each environment but the first gives, compared with the first, one line per row.

    For example: `onnxruntime 1.15.1 -> 1.32.0, onnxruntime-run: answers bit-identical in 7 cases; batch 1: 8.0 % faster
    [7.1, 8.8]; batch 4096: equivalent`.
    """
    first, *others = found.found
    return [
        f"{_upgrade(first, other, answers.row, is_named=len(others) > 1)}: {_answers(answers)}{_speeds(found, answers)}"
        for other in others
        for answers in found.answers
        if answers.environment == other.name
    ]


def environment_versions(found: Environments | None) -> dict[str, str]:
    """Return the versions in each environment, by its name."""
    return {
        entry.name: ", ".join(
            f"{name} {version}" for name, version in {"Python": entry.python, **entry.versions}.items()
        )
        for entry in (found.found if found else ())
    }


def machine_facts(report: Report) -> dict[str, Any]:
    """Return what is known about the machine, with the versions of this process only if the model was timed in it."""
    own = () if report.environments is None else ("python", "versions", "cpu_capability")
    return {name: value for name, value in asdict(report.environment).items() if name not in own}


def environment_changes(found: Environments, *, limit: float | None) -> list[Change]:
    """Return the change of every row for the gate; it is slower if the estimate exceeds the limit, and is certain."""
    return [
        Change(
            device="cpu",
            threads=change.threads,
            batch=change.batch,
            name=f"{change.environment}: {change.row}",
            ratio=change.ratio,
            slower=limit is not None and change.ratio.estimate > 1 + limit and change.ratio.low > 1,
        )
        for change in found.changes
    ]


def _upgrade(first: EnvironmentVersions, other: EnvironmentVersions, row: str, *, is_named: bool) -> str:
    """Say which versions differ, the one of the row's library first, and which row this is.

    The environments are named too if `is_named`, or if no version differs.
    """
    library = LIBRARY["onnxruntime" if row.startswith("onnxruntime") else "torch"]
    unrelated = {name for names in LIBRARY.values() for name in names if names != library}
    before, after = ({**entry.versions, "Python": entry.python} for entry in (first, other))
    names = sorted({*before, *after} - unrelated, key=lambda name: (name not in library, name == "Python", name))
    changed = [
        f"{name} {_version(before, name)} -> {_version(after, name)}" for name in names if _differs(before, after, name)
    ]
    if not changed:
        same = next((f", both {name} {before[name]}" for name in library if name in before), "")
        return f"{first.name} -> {other.name}{same}, {row}"
    more = f" ({', '.join(changed[1:])})" if changed[1:] else ""
    return f"{f'{first.name} -> {other.name}: ' if is_named else ''}{changed[0]}{more}, {row}"


def _version(versions: dict[str, str], name: str) -> str:
    return versions.get(name, "none")


def _differs(before: dict[str, str], after: dict[str, str], name: str) -> bool:
    return before.get(name) != after.get(name)


def _answers(answers: EnvironmentAnswers) -> str:
    if not answers.runs:
        return answers.problem
    if answers.problem:
        return f"answers DIFFERENT: {answers.problem}"
    how = "bit-identical" if answers.bit_identical else f"within tolerance ({answers.worst_error:.2f} of allowed)"
    return f"answers {how} in {answers.cases} case{'' if answers.cases == 1 else 's'}"


def _speeds(found: Environments, answers: EnvironmentAnswers) -> str:
    return "".join(
        f"; batch {change.batch}: {_speed(change)}"
        for change in found.changes
        if (change.environment, change.row) == (answers.environment, answers.row)
    )


def _speed(change: EnvironmentChange) -> str:
    """Return a verdict in words; a claim has its size in percent, with its 95 % interval."""
    ratio = change.ratio
    if change.verdict is Verdict.EQUIVALENT:
        return "equivalent"
    if change.verdict is Verdict.FASTER:
        return f"{100 * (1 - ratio.estimate):.1f} % faster [{100 * (1 - ratio.high):.1f}, {100 * (1 - ratio.low):.1f}]"
    if change.verdict is Verdict.SLOWER:
        return f"{100 * (ratio.estimate - 1):.1f} % slower [{100 * (ratio.low - 1):.1f}, {100 * (ratio.high - 1):.1f}]"
    return f"inconclusive, time changes by {100 * (ratio.low - 1):+.1f} to {100 * (ratio.high - 1):+.1f} %"
