"""Draw the figures of a report as SVG and PNG: ratios, latency against batch size, and start-up cost.

The figures need neither a window nor the global state of pyplot, and the files contain neither the name of this machine
nor the date. A dollar sign in a name does not start math text.
"""

import io
import warnings
from collections.abc import Sequence

from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.markers import CARETLEFT, CARETRIGHT
from matplotlib.ticker import FixedFormatter, FixedLocator, NullLocator

from bench.analysis.parts import LifecycleRow
from bench.report.axes import Axis, round_top
from bench.report.numbers import duration, number
from bench.report.plot_data import (
    ENDINGS,
    LIFECYCLE_NAME,
    START_PARTS,
    Forest,
    LatencyPlot,
    Sign,
    forest,
    latency_name,
    latency_plots,
    plain,
    ratios_name,
    start_parts,
    starts,
)
from bench.report.report import Report
from bench.report.tables import where

WIDTH, DPI = 8.0, 150
LONGEST_NAME = 32

STYLES = {
    Sign.FASTER: ("#0a58a8", "<", True),
    Sign.SLOWER: ("#b3400c", ">", True),
    Sign.EQUIVALENT: ("#1a7348", "o", True),
    Sign.INCONCLUSIVE: ("#6b5b95", "D", False),
    Sign.REFERENCE: ("#1b1f24", "s", True),
    Sign.NULL: ("#59636e", "s", False),
    Sign.UNJUDGED: ("#59636e", "x", True),
    Sign.WRONG: ("#b00020", "", True),
}
"""Colour, marker, and whether the marker is filled, as on the page."""

BAND, GRID, QUIET = "#dfe5ee", "#e3e6ea", "#59636e"
LINE_COLORS = ("#0a58a8", "#b3400c", "#1a7348", "#7b3fa0", "#8a6100", "#c0287a", "#00748a", "#59636e")
LINE_MARKERS = ("o", "s", "^", "D", "v", "p", "P", "X")
LINE_STYLES = ("-", "--", ":", "-.")
START_COLORS = ("#9aa5b1", "#0a58a8", "#b3400c", "#e0a030", "#1a7348")


def draw_plots(report: Report) -> dict[str, bytes]:
    """Draw every plot of a report as .svg and .png; return the bytes by file name."""
    figures: dict[str, Figure] = {}
    for comparison in report.comparisons:
        ratios = forest(comparison)
        if ratios is not None:
            name = ratios_name(comparison.device, comparison.threads, comparison.batch)
            figures[name] = _draw_ratios(ratios, report.reference, where(comparison))
    for plot in latency_plots(report):
        figures[latency_name(plot.device, plot.threads)] = _draw_latency(plot)
    if report.lifecycle:
        figures[LIFECYCLE_NAME] = _draw_starts(starts(report))
    return {f"{name}.{kind}": _save(figure, kind) for name, figure in figures.items() for kind in ENDINGS}


def _draw_ratios(ratios: Forest, reference: str, place: str) -> Figure:
    figure = _figure(1.2 + 0.3 * len(ratios.rows))
    axes = _axes(figure, f"Ratios to {plain(reference, 30)}\n{place}")
    if ratios.band is not None:
        axes.axvspan(*ratios.band, color=BAND, linewidth=0, zorder=0)
    axes.axvline(1, color="#1b1f24", linewidth=1.2, zorder=1)
    _logarithmic(axes, ratios.axis, "x", [f"{tick:.6g}" for tick in ratios.axis.ticks])
    axes.set_ylim(len(ratios.rows) - 0.4, -0.6)
    axes.set_yticks(range(len(ratios.rows)), [plain(row.name, LONGEST_NAME) for row in ratios.rows], parse_math=False)
    shaded = "" if ratios.band is None else "; shaded: the null row's interval"
    axes.set_xlabel(f"time per call over that of the reference{shaded}")
    for place_down, row in enumerate(ratios.rows):
        color, _, _ = STYLES[row.sign]
        words = [number(row.estimate)] if row.estimate is not None and row.sign is not Sign.REFERENCE else []
        words += {Sign.WRONG: ["wrong output"], Sign.UNJUDGED: []}.get(row.sign, [row.sign.value])
        axes.annotate(" ".join(words), (1.02, place_down), xycoords=("axes fraction", "data"), color=color, va="center")
        if row.estimate is not None:
            _draw_interval(axes, ratios.axis, place_down, row.sign, row.estimate, (row.low, row.high))
    return figure


def _draw_interval(axes: Axes, axis: Axis, place: int, sign: Sign, estimate: float, ends: tuple[float, float]) -> None:
    color, marker, filled = STYLES[sign]
    edges = (axis.low, axis.high)
    if axis.beyond(estimate):
        edge = edges[estimate > axis.high]
        axes.plot([1, edge], [place, place], color=color, linewidth=1.2, linestyle=":")
        _draw_arrow(axes, edge, place, color, right=estimate > axis.high)
        return
    if sign is not Sign.REFERENCE:
        shown = [min(max(end, axis.low), axis.high) for end in ends]
        axes.plot(shown, [place, place], color=color, linewidth=2, solid_capstyle="butt")
        for end, edge in zip(ends, edges, strict=True):
            if axis.beyond(end):
                _draw_arrow(axes, edge, place, color, right=edge == axis.high)
    axes.plot(
        [estimate], [place], marker=marker, color=color, markersize=7, markerfacecolor=color if filled else "white"
    )


def _draw_arrow(axes: Axes, edge: float, place: int, color: str, *, right: bool) -> None:
    axes.plot([edge], [place], marker=CARETRIGHT if right else CARETLEFT, color=color, markersize=8, clip_on=False)


def _draw_latency(plot: LatencyPlot) -> Figure:
    figure = _figure(max(5.0, 0.8 + 0.19 * len(plot.lines)))
    axes = _axes(figure, f"Time per call against batch size\n{plot.budget}, {plot.device.upper()}")
    _logarithmic(axes, plot.batches, "x", [f"{tick:.0f}" for tick in plot.batches.ticks])
    _logarithmic(axes, plot.seconds, "y", [duration(tick) for tick in plot.seconds.ticks])
    axes.set_xlim(plot.batches.low / 1.15, plot.batches.high * 1.15)
    axes.set_xlabel("batch size")
    axes.set_ylabel("time per call")
    for place, (name, points) in enumerate(plot.lines):
        axes.plot(
            [batch for batch, _ in points],
            [seconds for _, seconds in points],
            color=LINE_COLORS[place % 8],
            marker=LINE_MARKERS[place % 8],
            linestyle=LINE_STYLES[place // 8 % 4],
            markersize=5,
            linewidth=1.5,
            label=f"\u200b{plain(name, LONGEST_NAME)}",  # matplotlib hides a label that begins with _
        )
    legend = figure.legend(loc="outside right center", frameon=False, fontsize=8)
    for text in legend.get_texts():
        text.set_text(text.get_text().removeprefix("\u200b"))
        text.set_parse_math(False)
    return figure


def _draw_starts(rows: Sequence[LifecycleRow]) -> Figure:
    figure = _figure(1.6 + 0.35 * len(rows))
    figure.suptitle("From the start of a fresh process to its third call", x=0.01, ha="left", fontsize=11)
    names = [plain(row.name, LONGEST_NAME) for row in rows]
    panels = figure.subplots(1, 2, sharey=True)
    for first, axes, title in zip((0, 1), panels, ("with the import", "after the import"), strict=True):
        parts = [start_parts(row) for row in rows]
        for part, color in enumerate(START_COLORS):
            if part >= first:
                left = [sum(own[first:part]) for own in parts]
                axes.barh(
                    range(len(rows)), [own[part] for own in parts], 0.6, left, color=color, label=START_PARTS[part]
                )
        top = round_top(max(sum(own[first:]) for own in parts))
        axes.set_xlim(0, top)
        axes.set_xticks([0, top / 2, top], ["0", duration(top / 2), duration(top)])
        axes.get_xticklabels()[-1].set_horizontalalignment("right")  # away from the panel beside it
        axes.set_title(title, loc="left", fontsize=9, color=QUIET)
        _plain_look(axes)
    panels[0].set_yticks(range(len(rows)), names, parse_math=False)
    panels[0].set_ylim(len(rows) - 0.4, -0.6)
    handles, labels = panels[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=len(labels), frameon=False, fontsize=8)
    return figure


def _figure(height: float) -> Figure:
    figure = Figure(figsize=(WIDTH, max(height, 2.0)), dpi=DPI, layout="constrained")
    FigureCanvasAgg(figure)
    return figure


def _axes(figure: Figure, title: str) -> Axes:
    axes = figure.add_subplot()
    axes.set_title(title, loc="left", fontsize=11, parse_math=False)
    _plain_look(axes)
    return axes


def _plain_look(axes: Axes) -> None:
    axes.grid(color=GRID, linewidth=0.8)
    axes.set_axisbelow(True)
    axes.spines[["top", "right", "left"]].set_visible(False)
    axes.tick_params(length=0, labelsize=9)


def _logarithmic(axes: Axes, axis: Axis, which: str, labels: list[str]) -> None:
    scale = axes.xaxis if which == "x" else axes.yaxis
    (axes.set_xscale if which == "x" else axes.set_yscale)("log")
    (axes.set_xlim if which == "x" else axes.set_ylim)(axis.low, axis.high)
    scale.set_major_locator(FixedLocator(axis.ticks))
    scale.set_major_formatter(FixedFormatter(labels))
    scale.set_minor_locator(NullLocator())


def _save(figure: Figure, kind: str) -> bytes:
    """Return a figure as reproducible bytes: identifiers in an SVG come from its content, and no date is written."""
    buffer = io.BytesIO()
    metadata = {"Software": "linreg"} if kind == "png" else {"Creator": "linreg", "Date": None}
    with warnings.catch_warnings(), rc_context({"svg.hashsalt": "linreg", "svg.fonttype": "path"}):
        warnings.filterwarnings("ignore", "Glyph .* missing from font")  # a box is drawn instead
        figure.savefig(buffer, format=kind, metadata=metadata)
    return buffer.getvalue()
