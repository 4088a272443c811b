"""Make the three cards that begin a page: fastest in Python, fastest without Python, and what it takes to ship."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby

from bench.analysis.parts import Comparison, LifecycleRow
from bench.analysis.statistics import CLAIM_MARGIN, Ratio
from bench.report.findings import Finding, findings
from bench.report.numbers import duration, number
from bench.report.order import fastest, runtimes_by_ratio
from bench.report.report import Report
from bench.report.tables import budget, interval, not_started, where

MOST_PLACES = 4
"""Comparisons that get an entry each; of more, neighbouring batch sizes with the same fastest variant share one."""


@dataclass(frozen=True, kw_only=True)
class Entry:
    """One answer of a card.

    Attributes:
        label: what the answer is about, such as a batch size.
        value: the answer in a few words.
        detail: the figures behind it, as a sentence; empty if there are none.
    """

    label: str
    value: str
    detail: str


@dataclass(frozen=True, kw_only=True)
class Card:
    """A title and its answers; without any, `absent` and `option` say why, and which option of `linreg bench` it is.

    `note` says what the answers leave out; it is empty if they leave out nothing.
    """

    title: str
    entries: tuple[Entry, ...]
    absent: str
    option: str = ""
    note: str = ""


def cards(report: Report) -> tuple[Card, Card, Card]:
    """Return the cards of a report."""
    return (
        Card(
            title="Fastest in Python",
            entries=tuple(_in_python(report)),
            absent="Nothing could be timed here.",
        ),
        Card(
            title="Fastest without Python",
            entries=tuple(_without_python(report)),
            absent="Not timed. In a checkout of linreg, a model of linreg train is timed in C, C++ and JavaScript with",
            option="--runtimes deploy",
        ),
        Card(
            title="What it takes to ship",
            entries=tuple(_to_ship(report)),
            absent="Not measured, since only a fresh process shows it. Leave out",
            option="--processes 1",
            note=not_started(report),
        ),
    )


def _in_python(report: Report) -> Iterator[Entry]:
    found = {finding.where: finding for finding in findings(report)}
    timed = [comparison for comparison in report.comparisons if where(comparison) in found]
    if len(timed) > MOST_PLACES:
        timed.sort(key=lambda one: (one.device, one.threads, one.batch))
        groups = [list(group) for _, group in groupby(timed, _device_threads_winner)]
    else:
        groups = [[comparison] for comparison in timed]
    for group in groups:
        first = _entry(report.reference, group[0], found[where(group[0])])
        yield first if len(group) == 1 else _shared(group, first)


def _device_threads_winner(comparison: Comparison) -> tuple[str, str, str]:
    best = fastest(comparison)
    return comparison.device, budget(comparison), "" if best is None else best.name


def _shared(group: Sequence[Comparison], first: Entry) -> Entry:
    """Return the entry of several batch sizes with the same fastest variant; `first` is that of the first one."""
    ends, between = (group[0], group[-1]), "and" if len(group) == 2 else "to"
    label = f"batch {ends[0].batch} {between} {ends[1].batch}, {budget(ends[0])}, {ends[0].device.upper()}"
    best = [entry for comparison in group if (entry := fastest(comparison))]
    if not best:
        return Entry(label=label, value=first.value, detail="")
    speedups, name = sorted(1 / entry.ratio.estimate for entry in best), best[0].name
    least, most = _times(speedups[0]), _times(speedups[-1])
    calls = (row.median_s for comparison in ends for row in comparison.rows if row.name == name)
    lowest, highest = (duration(second) if second else "?" for second in calls)
    return Entry(
        label=label,
        value=f"{name}, {least}" if least == most else f"{name}, {least} to {most}",
        detail=f"{lowest} per call at batch {ends[0].batch}, {highest} at batch {ends[1].batch}.",
    )


def _entry(reference: str, comparison: Comparison, finding: Finding) -> Entry:
    best = fastest(comparison)
    if best is None:
        return Entry(label=finding.where, value=finding.headline, detail=finding.text)
    medians = {row.name: row.median_s for row in comparison.rows}
    return Entry(
        label=finding.where,
        value=f"{best.name}, {_times(1 / best.ratio.estimate)}",
        detail=_beside(best.ratio, reference, medians.get(best.name), medians.get(reference)) + _peers(best.peers),
    )


def _without_python(report: Report) -> Iterator[Entry]:
    for batch, own in groupby(runtimes_by_ratio(report), lambda row: row.batch):
        rows = list(own)
        python = next((row for row in rows if row.ratio is None), None)
        others = [(row, row.ratio) for row in rows if row.ratio is not None]
        label = f"batch {batch}"
        if not others:
            continue
        row, ratio = others[0]
        detail = _beside(ratio, "onnxruntime in Python", row.median_s, python.median_s if python else None)
        if ratio.high >= 1 / (1 + CLAIM_MARGIN):
            yield Entry(label=label, value="Python is not beaten", detail=f"The closest, {row.name}: {detail}")
            continue
        peers = [other.name for other, own_ratio in others[1:] if own_ratio.low <= ratio.high]
        value = f"{row.name}, {_times(1 / ratio.estimate)}"
        yield Entry(label=label, value=value, detail=detail + _peers(peers))


def _to_ship(report: Report) -> Iterator[Entry]:
    rows = report.lifecycle
    if not rows:
        return
    eager = next((row for row in rows if row.name.startswith("eager")), None)
    quickest, leanest = min(rows, key=_first_answer_s), min(rows, key=lambda row: row.memory_bytes)
    yield Entry(
        label="time to the first answer",
        value=duration(_first_answer_s(quickest)),
        detail=_least(quickest, eager, lambda row: duration(_first_answer_s(row))),
    )
    yield Entry(
        label="memory",
        value=_size(leanest.memory_bytes),
        detail=_least(leanest, eager, lambda row: _size(row.memory_bytes)),
    )
    files = [row for row in rows if row.file_bytes]
    if files:
        smallest, largest = (choose(files, key=lambda row: row.file_bytes) for choose in (min, max))
        yield Entry(
            label="file",
            value=_size(smallest.file_bytes),
            detail=_least(smallest, largest, lambda row: _size(row.file_bytes)),
        )


def _times(speedup: float) -> str:
    return f"{speedup:.2f}×" if speedup < 100 else f"{float(f'{speedup:.3g}'):,.0f}×"


def _beside(ratio: Ratio, reference: str, own_s: float | None, reference_s: float | None) -> str:
    text = f"{number(ratio.estimate)} ({interval(ratio)}) of the time of {reference}"
    if own_s is None or reference_s is None:
        return f"{text}."
    return f"{text}: {duration(own_s)} against {duration(reference_s)} per call."


def _peers(names: Sequence[str]) -> str:
    return f" It cannot be distinguished from {' and '.join(names)}." if names else ""


def _first_answer_s(row: LifecycleRow) -> float:
    return row.import_s + row.load_s + row.calls_s[0]


def _size(count: int) -> str:
    for unit, size in (("MiB", 2**20), ("KiB", 2**10)):
        if count >= size:
            return f"{count / size:.3g} {unit}"
    return f"{count} B"


def _least(row: LifecycleRow, other: LifecycleRow | None, shown: Callable[[LifecycleRow], str]) -> str:
    """Name the row with the least of something, and how much of it another row takes."""
    return f"{row.name}." if other is None or other is row else f"{row.name}; {other.name}: {shown(other)}."
