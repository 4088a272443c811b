"""Prepare the data that the page and the plots draw: rows, signs and axes."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from statistics import median

from bench.analysis.parts import Comparison, LifecycleRow, Row, Status
from bench.plan.variants import NULL
from bench.report.axes import Axis, axis_around, batch_axis
from bench.report.order import by_ratio
from bench.report.report import Report
from bench.report.tables import budget
from linreg.escaping import printable

CLEARLY_SLOWER, CLEARLY_FASTER = 3.0, 1 / 20
"""Ratios beyond these are drawn as an arrow at the edge: one slow row would squeeze all others."""

LEAST_SPAN = 0.02
"""An axis of ratios extends at least this far to either side of 1, so that noise does not fill the figure."""

START_PARTS = ("import", "load", "1st call", "2nd call", "3rd call")

LIFECYCLE_NAME = "lifecycle"
ENDINGS = ("svg", "png")


class Sign(StrEnum):
    """How a row is marked in a figure; each sign has its own colour and shape."""

    FASTER = "faster"
    SLOWER = "slower"
    EQUIVALENT = "equivalent"
    INCONCLUSIVE = "inconclusive"
    REFERENCE = "reference"
    NULL = "null"
    UNJUDGED = "no verdict"
    WRONG = "wrong"


@dataclass(frozen=True, kw_only=True)
class ForestRow:
    """The ratio of one row, with its interval; the estimate is None if the row has no ratio."""

    name: str
    sign: Sign
    estimate: float | None
    low: float
    high: float


@dataclass(frozen=True, kw_only=True)
class Forest:
    """The ratios of one comparison, the fastest row first; `band` is the interval of the null row."""

    axis: Axis
    band: tuple[float, float] | None
    rows: tuple[ForestRow, ...]


@dataclass(frozen=True, kw_only=True)
class LatencyPlot:
    """Seconds per call against batch size, for one device and one number of threads; each variant is a line.

    Attributes:
        device: device, as the report names it.
        threads: number of torch threads.
        budget: the numbers of threads in words.
        batches: the horizontal axis.
        seconds: the vertical axis.
        lines: name and points (batch size, seconds) of each variant, the slowest at its largest batch size first.
    """

    device: str
    threads: int
    budget: str
    batches: Axis
    seconds: Axis
    lines: tuple[tuple[str, tuple[tuple[int, float], ...]], ...]


def ratios_name(device: str, threads: int, batch: int) -> str:
    """Return the file name, without suffix, of the plot of one comparison's ratios."""
    return f"ratios-{_place(device, threads)}-batch{batch}"


def latency_name(device: str, threads: int) -> str:
    """Return the file name, without suffix, of a plot of latencies."""
    return f"latency-{_place(device, threads)}"


def _place(device: str, threads: int) -> str:
    return f"{device}-{threads}thread{'' if threads == 1 else 's'}"


def sign_of(row: Row) -> Sign:
    """Return the sign that marks a row."""
    if row.status is not Status.TIMED:
        return Sign.WRONG
    if row.is_reference:
        return Sign.REFERENCE
    if row.name == NULL:
        return Sign.NULL
    return Sign(row.verdict) if row.verdict else Sign.UNJUDGED


def null_interval(comparison: Comparison) -> tuple[float, float] | None:
    """Return the interval of the null row's ratio; None if it was not measured or has an open end."""
    for row in comparison.rows:
        if row.name == NULL and row.ratio and row.ratio.low > 0 and row.ratio.high != float("inf"):
            return row.ratio.low, row.ratio.high
    return None


def forest(comparison: Comparison) -> Forest | None:
    """Return the ratios of one comparison, without the floor; None if nothing was timed."""
    shown = by_ratio(comparison)
    if not any(row.status is Status.TIMED for row in shown):
        return None
    rows = tuple(_forest_row(row) for row in shown if row.answers or row.ratio)
    return Forest(axis=_ratio_axis(shown), band=null_interval(comparison), rows=rows)


def _forest_row(row: Row) -> ForestRow:
    sign, ratio = sign_of(row), row.ratio
    if sign is Sign.REFERENCE:
        return ForestRow(name=row.name, sign=sign, estimate=1.0, low=1.0, high=1.0)
    if ratio is None or sign is Sign.WRONG:
        return ForestRow(name=row.name, sign=sign, estimate=None, low=0.0, high=float("inf"))
    return ForestRow(name=row.name, sign=sign, estimate=ratio.estimate, low=ratio.low, high=ratio.high)


def _ratio_axis(rows: Sequence[Row]) -> Axis:
    ratios = [row.ratio for row in rows if row.status is Status.TIMED and row.answers and row.ratio is not None]
    middle = median([1.0, *(ratio.estimate for ratio in ratios)])
    least, most = min(CLEARLY_FASTER, middle / 2), max(CLEARLY_SLOWER, middle * 2)
    ends = [
        end
        for ratio in ratios
        if least <= ratio.estimate <= most
        for end in (ratio.low, ratio.estimate, ratio.high)
        if least <= end <= most
    ]
    return axis_around(min([1 - LEAST_SPAN, *ends]), max([1 + LEAST_SPAN, *ends]))


def latency_plots(report: Report) -> list[LatencyPlot]:
    """Return a plot for each device and number of threads that were timed at three or more batch sizes.

    A line over two points would show nothing that the two tables do not.
    """
    groups: dict[tuple[str, int, str], dict[int, dict[str, float]]] = {}
    for comparison in report.comparisons:
        medians = {
            row.name: row.median_s
            for row in comparison.rows
            if row.median_s is not None and row.status is Status.TIMED and row.answers and row.name != NULL
        }
        if medians:
            place = comparison.device, comparison.threads, budget(comparison)
            groups.setdefault(place, {})[comparison.batch] = medians
    return [_latency_plot(*place, batches) for place, batches in groups.items() if len(batches) > 2]


def _latency_plot(device: str, threads: int, words: str, batches: dict[int, dict[str, float]]) -> LatencyPlot:
    points: dict[str, list[tuple[int, float]]] = {}
    for batch, medians in sorted(batches.items()):
        for name, median_s in medians.items():
            points.setdefault(name, []).append((batch, median_s))
    seconds = [second for line in points.values() for _, second in line]
    lines = sorted(points.items(), key=lambda line: -line[1][-1][1])
    return LatencyPlot(
        device=device,
        threads=threads,
        budget=words,
        batches=batch_axis(sorted(batches)),
        seconds=axis_around(min(seconds), max(seconds)),
        lines=tuple((name, tuple(line)) for name, line in lines),
    )


def starts(report: Report) -> list[LifecycleRow]:
    """Return the lifecycle rows, the one that completes its third call first at the top."""
    return sorted(report.lifecycle, key=lambda row: row.third_call_s)


def start_parts(row: LifecycleRow) -> tuple[float, ...]:
    """Return the seconds of one lifecycle row, one value for each of `START_PARTS`."""
    return (row.import_s, row.load_s, *row.calls_s)


def plain(text: str, longest: int) -> str:
    """Make control characters and direction marks in `text` visible, and cut it to `longest` characters."""
    shown = printable(text)
    return shown if len(shown) <= longest else shown[: longest - 1] + "…"
