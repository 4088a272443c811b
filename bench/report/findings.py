"""What a report says, in sentences: what is fastest, how sure that is, and which variants answer wrongly."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from bench.analysis.statistics import CLAIM_MARGIN, TRIMMED
from bench.report.plot_data import Sign, null_interval, sign_of, timed
from bench.report.tables import duration, number, where


@dataclass(frozen=True, kw_only=True)
class Finding:
    """What one comparison shows.

    Attributes:
        where: batch, threads and device.
        headline: the fastest variant, and how many times as fast as the reference.
        text: the whole of it.
    """

    where: str
    headline: str
    text: str


def findings(report: Mapping[str, Any]) -> list[Finding]:
    """What each comparison in which anything was timed shows."""
    return [
        _finding(report, comparison)
        for comparison in report["comparisons"]
        if any(timed(row) for row in comparison["rows"])
    ]


def _finding(report: Mapping[str, Any], comparison: Mapping[str, Any]) -> Finding:
    rows, name = [row for row in comparison["rows"] if timed(row)], report["reference"]
    reference = next((row for row in rows if row["name"] == name), None)
    base = "" if reference is None else f" ({duration(reference['median_s'])} a call)"
    judged = sorted((row for row in rows if row["verdict"]), key=lambda row: float(row["ratio"]["estimate"]))
    faster = [row for row in judged if row["verdict"] == Sign.FASTER]
    place = where(comparison)
    if not judged:
        return Finding(where=place, headline="Nothing to compare", text=f"No variant was compared with {name}{base}.")
    if not faster:
        close = judged[0]
        return Finding(
            where=place,
            headline=f"{name} is not beaten",
            text=f"No variant is shown to be faster than {name}{base}; "
            f"the closest, {close['name']}, takes {_times(close)} its time: {close['verdict']}.",
        )
    best, peers = faster[0], _peers(faster)
    text = f"{best['name']} takes {_times(best)} the time of {name}: {duration(best['median_s'])} a call"
    text += "." if reference is None else f" against {duration(reference['median_s'])}."
    if peers:
        text += f" It cannot be told from {' and '.join(row['name'] for row in peers)}."
    saved = 1 / best["ratio"]["estimate"]
    return Finding(where=place, headline=f"Fastest: {best['name']}, {saved:.2f}×", text=text)


def _times(row: Mapping[str, Any]) -> str:
    ratio = row["ratio"]
    interval = f"95 % interval {number(ratio['low'])} to {number(ratio['high'])}"
    return f"{number(ratio['estimate'])} ({interval}) of"


def _peers(faster: list[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """The rows whose intervals reach into that of the fastest; both are ratios to one reference."""
    high = faster[0]["ratio"]["high"]
    return [row for row in faster[1:] if high is None or row["ratio"]["low"] is None or row["ratio"]["low"] <= high]


def certainty(report: Mapping[str, Any]) -> str:
    """How far the intervals can be believed."""
    settings = report["settings"]
    processes, rounds = settings["processes_run"], settings["rounds"]
    if processes == 1:
        return (
            f"All intervals are from {rounds} rounds in one process and hold for this process only: "
            "in another one, where memory is laid out otherwise, a ratio may move by 1 to 1.5 % more."
        )
    trimmed = int(TRIMMED * processes)
    ends = f", without the highest and the lowest {'one' if trimmed == 1 else trimmed}" if trimmed else ""
    return (
        f"Each ratio is the mean over {processes} processes, each with memory laid out anew{ends}, of the median of "
        f"{rounds} paired rounds; its 95 % interval is Student's over those processes."
    )


def noise_floor(report: Mapping[str, Any]) -> str:
    """How far two copies of the reference differ, and so what may be claimed."""
    measured = [
        (max(1 - low, high - 1, 0.0), where(comparison))
        for comparison in report["comparisons"]
        for low, high in [null_interval(comparison) or (0.0, 0.0)]
        if high
    ]
    if not measured:
        return "The noise floor is not known: no second copy of the reference has an interval."
    noise, place = max(measured)
    worst = f", at {place}" if len(measured) > 1 else ""
    claimed = max(CLAIM_MARGIN, 2 * noise)
    return (
        f"Noise floor: the interval of a second copy of the reference, the null row, reaches {noise * 100:.2f} % "
        f"from 1{worst}. No difference below {claimed * 100:.2f} % is claimed there."
    )


def wrong_answers(report: Mapping[str, Any]) -> list[tuple[str, str, str]]:
    """Name, where, and why, of each variant that answers wrongly."""
    return [
        (row["name"], where(comparison), row["problem"])
        for comparison in report["comparisons"]
        for row in comparison["rows"]
        if sign_of(report, row) is Sign.WRONG and not row["problem"].startswith("skipped")
    ]
