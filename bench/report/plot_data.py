"""What the figures of a report show, for the page and for the plots: rows, signs and axes, but not how to draw them."""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from statistics import median
from typing import Any

from bench.plan.variants import NULL
from bench.report.tables import budget

CLEARLY_SLOWER, CLEARLY_FASTER = 3.0, 1 / 20
"""Ratios beyond these are drawn as an arrow at the edge: one slow row would press all others together."""

LEAST_SPAN = 0.02
"""An axis of ratios reaches so far to either side of 1 at least, so that noise does not fill the picture."""

START_PARTS = ("import", "load", "1st call", "2nd call", "3rd call")


class Sign(StrEnum):
    """How a row is marked: each has a colour and a shape of its own."""

    FASTER = "faster"
    SLOWER = "slower"
    EQUIVALENT = "equivalent"
    INCONCLUSIVE = "inconclusive"
    REFERENCE = "reference"
    NULL = "null"
    UNJUDGED = "no verdict"
    WRONG = "wrong"


@dataclass(frozen=True, kw_only=True)
class Axis:
    """A logarithmic axis."""

    low: float
    high: float
    ticks: tuple[float, ...]

    def place(self, value: float) -> float:
        """From 0 at the low end to 1 at the high end; what lies beyond an end is put there."""
        if value <= self.low:
            return 0.0
        return min(math.log(value / self.low) / math.log(self.high / self.low), 1.0)

    def beyond(self, value: float | None) -> bool:
        """Whether a value, or an open end, lies outside."""
        return value is None or not self.low <= value <= self.high


@dataclass(frozen=True, kw_only=True)
class ForestRow:
    """One ratio and its interval; None for a row without one, and for an open end."""

    name: str
    sign: Sign
    estimate: float | None
    low: float | None
    high: float | None


@dataclass(frozen=True, kw_only=True)
class Forest:
    """The ratios of one comparison, in the order of the report; `band` is the interval of the null row."""

    axis: Axis
    band: tuple[float, float] | None
    rows: tuple[ForestRow, ...]


@dataclass(frozen=True, kw_only=True)
class LatencyPlot:
    """Seconds a call by batch on one device with one count of threads: a line a variant, the slowest first.

    Attributes:
        device: as in the report.
        threads: of torch.
        budget: the threads in words.
        batches: the axis across.
        seconds: the axis upwards.
        lines: name and points of each variant.
    """

    device: str
    threads: int
    budget: str
    batches: Axis
    seconds: Axis
    lines: tuple[tuple[str, tuple[tuple[int, float], ...]], ...]


LIFECYCLE_NAME = "lifecycle"
ENDINGS = ("svg", "png")


def ratios_name(device: str, threads: int, batch: int) -> str:
    """The name of the file of the ratios of one comparison, without its ending."""
    return f"ratios-{_place(device, threads)}-batch{batch}"


def latency_name(device: str, threads: int) -> str:
    """The same of the latencies."""
    return f"latency-{_place(device, threads)}"


def _place(device: str, threads: int) -> str:
    return f"{device}-{threads}thread{'' if threads == 1 else 's'}"


def is_skipped(row: Mapping[str, Any]) -> bool:
    """Whether a row was not run here, as against one that answers wrongly."""
    return bool(row["problem"].startswith("skipped"))


def timed(row: Mapping[str, Any]) -> bool:
    """Whether a row has a latency."""
    return not row["problem"] and row["median_s"] is not None


def sign_of(report: Mapping[str, Any], row: Mapping[str, Any]) -> Sign:
    """The mark of a row."""
    if row["problem"]:
        return Sign.WRONG
    if row["name"] == report["reference"]:
        return Sign.REFERENCE
    if row["name"] == NULL:
        return Sign.NULL
    return Sign(row["verdict"]) if row["verdict"] else Sign.UNJUDGED


def null_interval(comparison: Mapping[str, Any]) -> tuple[float, float] | None:
    """How far two copies of the reference differ; None where it was not measured, or the interval is open."""
    for row in comparison["rows"]:
        if row["name"] == NULL and row["ratio"] and row["ratio"]["low"] and row["ratio"]["high"]:
            return row["ratio"]["low"], row["ratio"]["high"]
    return None


def forest(report: Mapping[str, Any], comparison: Mapping[str, Any]) -> Forest | None:
    """The ratios of one comparison; None where nothing was timed. The floor has none."""
    shown = [row for row in comparison["rows"] if not is_skipped(row)]
    if not any(timed(row) for row in shown):
        return None
    rows = tuple(_forest_row(report, row) for row in shown if row["answers"] or row["ratio"])
    return Forest(axis=_ratio_axis(shown), band=null_interval(comparison), rows=rows)


def _forest_row(report: Mapping[str, Any], row: Mapping[str, Any]) -> ForestRow:
    sign, ratio = sign_of(report, row), row["ratio"]
    if sign is Sign.REFERENCE:
        return ForestRow(name=row["name"], sign=sign, estimate=1.0, low=1.0, high=1.0)
    if ratio is None or sign is Sign.WRONG:
        return ForestRow(name=row["name"], sign=sign, estimate=None, low=None, high=None)
    return ForestRow(
        name=row["name"], sign=sign, estimate=ratio["estimate"], low=ratio["low"] or None, high=ratio["high"]
    )


def _ratio_axis(rows: Sequence[Mapping[str, Any]]) -> Axis:
    ratios = [row["ratio"] for row in rows if timed(row) and row["answers"] and row["ratio"] is not None]
    middle = median([1.0, *(ratio["estimate"] for ratio in ratios)])
    least, most = min(CLEARLY_FASTER, middle / 2), max(CLEARLY_SLOWER, middle * 2)
    ends = [
        end
        for ratio in ratios
        if least <= ratio["estimate"] <= most
        for end in (ratio["low"], ratio["estimate"], ratio["high"])
        if end is not None and least <= end <= most
    ]
    return _axis(min([1 - LEAST_SPAN, *ends]), max([1 + LEAST_SPAN, *ends]))


def _axis(low: float, high: float) -> Axis:
    """An axis with a little room beyond its values."""
    room = (high / low) ** 0.06
    low, high = low / room, high * room
    return Axis(low=low, high=high, ticks=_ticks(low, high))


def _ticks(low: float, high: float) -> tuple[float, ...]:
    """The coarsest round numbers of which four lie between `low` and `high`."""
    found: tuple[float, ...] = ()
    for candidates in _candidates(low, high):
        found = tuple(value for value in candidates if low <= value <= high)
        if len(found) >= 4:
            break
    return found


def _candidates(low: float, high: float) -> Iterator[list[float]]:
    decades = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    for factors in ((1,), (1, 2, 5)):
        yield [float(f"{factor}e{decade}") for decade in decades for factor in factors]
    for decade in range(decades[-1], decades[-1] - 6, -1):
        for factor in (5, 2, 1):
            step = float(f"{factor}e{decade}")
            # through text, since 3 * 0.1 is not 0.3
            yield [float(f"{place * step:.9g}") for place in range(math.ceil(low / step), math.floor(high / step) + 1)]


def latency_plots(report: Mapping[str, Any]) -> list[LatencyPlot]:
    """A plot for each device and count of threads with two batches or more."""
    groups: dict[tuple[str, int, str], dict[int, list[Mapping[str, Any]]]] = {}
    for comparison in report["comparisons"]:
        rows = [row for row in comparison["rows"] if timed(row) and row["answers"] and row["name"] != NULL]
        if rows:
            place = comparison["device"], comparison["threads"], budget(comparison)
            groups.setdefault(place, {})[comparison["batch"]] = rows
    return [_latency_plot(*place, batches) for place, batches in groups.items() if len(batches) > 1]


def _latency_plot(device: str, threads: int, words: str, batches: dict[int, list[Mapping[str, Any]]]) -> LatencyPlot:
    points: dict[str, list[tuple[int, float]]] = {}
    for batch, rows in sorted(batches.items()):
        for row in rows:
            points.setdefault(row["name"], []).append((batch, row["median_s"]))
    seconds = [second for line in points.values() for _, second in line]
    lines = sorted(points.items(), key=lambda line: -line[1][-1][1])
    return LatencyPlot(
        device=device,
        threads=threads,
        budget=words,
        batches=Axis(low=min(batches), high=max(batches), ticks=_spaced(sorted(batches))),
        seconds=_axis(min(seconds), max(seconds)),
        lines=tuple((name, tuple(line)) for name, line in lines),
    )


def _spaced(batches: list[int]) -> tuple[float, ...]:
    """The batches that have room for a label: each a tenth of the axis beyond the one before, the last in any case."""
    kept = [float(batches[0])]
    room = 0.1 * math.log(batches[-1] / batches[0])
    for batch in batches[1:-1]:
        if math.log(batch / kept[-1]) >= room and math.log(batches[-1] / batch) >= room:
            kept.append(batch)
    return (*kept, float(batches[-1]))


def start_parts(row: Mapping[str, Any]) -> tuple[float, ...]:
    """The seconds of `START_PARTS` of one row of the lifecycle."""
    return (row["import_s"], row["load_s"], *row["calls_s"])


def round_top(value: float) -> float:
    """The least of 1, 1.5, 2, 3, 5 and 7.5 times a power of ten that is not below `value`."""
    decade = 10.0 ** math.floor(math.log10(value)) if value > 0 else 1.0
    return next(factor * decade for factor in (1, 1.5, 2, 3, 5, 7.5, 10) if factor * decade >= value * (1 - 1e-9))


def plain(text: str, longest: int | None = None) -> str:
    """`text` with control characters and direction marks shown instead of obeyed, cut to `longest` characters."""
    shown = "".join(sign if sign.isprintable() else repr(sign)[1:-1] for sign in text)
    return shown if longest is None or len(shown) <= longest else shown[: longest - 1] + "…"
