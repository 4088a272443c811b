"""Say in sentences what a report shows: the fastest variant, how certain that is, and which variants are wrong."""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from bench.analysis.parts import Comparison, Row, Status
from bench.analysis.statistics import CLAIM_MARGIN, Ratio, Verdict
from bench.protocol import TRIMMED
from bench.report.numbers import duration, number, percent
from bench.report.plot_data import null_interval
from bench.report.report import Report
from bench.report.tables import where
from linreg.config import BENCH_DEFAULTS


@dataclass(frozen=True, kw_only=True)
class Finding:
    """What one comparison shows.

    Attributes:
        where: batch size, threads and device.
        headline: the fastest variant, and how many times as fast as the reference it is.
        text: the headline in full sentences, with the interval of the ratio.
    """

    where: str
    headline: str
    text: str


def findings(report: Report) -> list[Finding]:
    """Return the finding of each comparison in which something was timed."""
    return [
        _finding(report.reference, comparison, medians)
        for comparison in report.comparisons
        if (medians := {row.name: row.median_s for row in comparison.rows if row.median_s and not row.problem})
    ]


def _finding(name: str, comparison: Comparison, medians: dict[str, float]) -> Finding:
    place = where(comparison)
    base = f" ({duration(medians[name])} per call)" if name in medians else ""
    judged = sorted(_judged(comparison.rows), key=lambda entry: entry[1].estimate)
    faster = [(row, ratio) for row, ratio in judged if row.verdict is Verdict.FASTER]
    if not judged:
        return Finding(where=place, headline="Nothing to compare", text=f"No variant was compared with {name}{base}.")
    if not faster:
        close, ratio = judged[0]
        return Finding(
            where=place,
            headline=f"{name} is not beaten",
            text=f"No variant is shown to be faster than {name}{base}. "
            f"The closest, {close.name}, takes {_times(ratio)} its time: {close.verdict}.",
        )
    best, ratio = faster[0]
    text = f"{best.name} takes {_times(ratio)} the time of {name}: {duration(medians[best.name])} per call"
    text += f" against {duration(medians[name])}." if name in medians else "."
    if peers := [row.name for row, own in faster[1:] if own.low <= ratio.high]:
        text += f" It cannot be distinguished from {' and '.join(peers)}."
    return Finding(where=place, headline=f"Fastest: {best.name}, {1 / ratio.estimate:.2f}×", text=text)


def _judged(rows: Iterable[Row]) -> list[tuple[Row, Ratio]]:
    return [(row, row.ratio) for row in rows if row.verdict and row.ratio and row.status is Status.TIMED]


def _times(ratio: Ratio) -> str:
    return f"{number(ratio.estimate)} (95 % interval {number(ratio.low)} to {number(ratio.high)}) of"


def certainty(report: Report) -> str:
    """Say in one sentence what the intervals of a report rest on, and how far they hold."""
    processes, rounds = report.settings.processes_run, rounds_run(report)
    if processes == 1:
        return (
            f"All intervals come from {rounds} rounds in one process and hold for this process only: in another one, "
            "with another memory layout, a ratio may move by a further 1 to 1.5 %."
        )
    trimmed = int(TRIMMED * processes)
    ends = f", without the highest and the lowest {'one' if trimmed == 1 else trimmed}" if trimmed else ""
    return (
        f"Each ratio is the mean over {processes} processes, each with its own memory layout{ends}, of the median of "
        f"{rounds} paired rounds; its 95 % interval is Student's over those processes."
    )


def rounds_run(report: Report) -> str:
    """Return how many rounds the processes of a report ran, such as `99` or `99 to 338`."""
    if report.settings.rounds is not None:
        return str(report.settings.rounds)
    counts = {
        len(process.block_ns)
        for comparison in report.comparisons
        for row in comparison.rows
        for process in row.processes
    }
    fewest, most = min(counts, default=0), max(counts, default=0)
    return str(most) if fewest == most else f"{fewest} to {most}"


def noise_floor(report: Report) -> str:
    """Say how far two copies of the reference differ, and which differences are therefore too small to be claimed."""
    found = _noise(report)
    if found is None:
        return "The noise floor is not known: no second copy of the reference has a closed interval."
    noise, place = found
    return (
        f"Noise floor: the interval of the null row, a second copy of the reference, reaches {noise * 100:.2f} % "
        f"from 1{f', at {place}' if place else ''}. No difference below {_claimed(noise) * 100:.2f} % is claimed there."
    )


def _noise(report: Report) -> tuple[float, str] | None:
    """Return how far the interval of a null row reaches from 1, and where it reaches furthest, if there are several."""
    measured = [
        (max(1 - interval[0], interval[1] - 1, 0.0), where(comparison))
        for comparison in report.comparisons
        if (interval := null_interval(comparison))
    ]
    if not measured:
        return None
    noise, place = max(measured)
    return noise, place if len(measured) > 1 else ""


def _claimed(noise: float) -> float:
    """Return the smallest difference that a verdict claims beside such noise."""
    return max(CLAIM_MARGIN, 2 * noise)


def resolution(report: Report) -> float | None:
    """Return the difference below which nothing is seen on the machine of a report, by its last self-check.

    None if it is not known, or this report was disturbed so much that it claims only larger differences: the self-check
    does not speak for it then. More processes than those of the self-check see smaller differences.
    """
    found = (report.self_check or {}).get("resolution")
    smallest = found.get("benchmark") if isinstance(found, Mapping) else None
    if not isinstance(smallest, int | float) or not 0 < smallest < math.inf:
        return None
    noise, most = _noise(report), BENCH_DEFAULTS.processes + BENCH_DEFAULTS.more_processes
    if report.environments is not None or noise is None or report.settings.processes_run > most:
        return None
    return smallest if _claimed(noise[0]) <= max(CLAIM_MARGIN, smallest) else None


def smallest_difference(report: Report) -> str:
    """Say in one line which differences are too small for a report; empty if that is not known.

    That is the resolution, such as `differences below 0.4 % cannot be seen here`, or what a disturbed run claims.
    """
    if (smallest := resolution(report)) is not None:
        return f"differences below {percent(smallest)} cannot be seen here (linreg bench --self-check)"
    if report.environments is not None or (found := _noise(report)) is None or _claimed(found[0]) <= CLAIM_MARGIN:
        return ""
    noise, place = found
    return (
        f"in this run, differences below {_claimed(noise) * 100:.2f} % are not claimed{f' at {place}' if place else ''}"
    )


def wrong_variants(report: Report) -> list[tuple[str, str, str]]:
    """Return (name, place, reason) for each variant with wrong outputs."""
    return [
        (row.name, where(comparison), row.reason)
        for comparison in report.comparisons
        for row in comparison.rows
        if row.status is Status.WRONG
    ]
