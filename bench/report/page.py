"""Render a report as one HTML file that loads nothing else and can be read without its script.

The script sorts tables, marks those that are wider than the page, and copies the Markdown. The content security
policy allows only this script and this style sheet, by their hashes, so a name in a report can be displayed but never
executed.
"""

import base64
import hashlib
import re
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup, escape

from bench.analysis.parts import Comparison, Row, Status
from bench.report.axes import round_top
from bench.report.cards import cards
from bench.report.environments import environment_versions, machine_facts
from bench.report.findings import certainty, findings, noise_floor, resolution, rounds_run, wrong_variants
from bench.report.markdown import to_markdown
from bench.report.numbers import duration, number, percent
from bench.report.order import answers, by_ratio, fastest, runtimes_by_ratio
from bench.report.plot_data import (
    START_PARTS,
    LatencyPlot,
    Sign,
    forest,
    latency_plots,
    plain,
    sign_of,
    start_parts,
    starts,
)
from bench.report.report import Report
from bench.report.tables import (
    RUNTIME_HEADINGS,
    cold_budget,
    interval,
    lifecycle_cells,
    not_started,
    runtime_cells,
    skipped,
    unnamed_level,
    where,
)
from linreg.escaping import printable

HERE = Path(__file__).parent

LONGEST_NAME = 32
"""Characters of a name that fit beside a ratio on a phone; the whole name is in the tables."""

MARGIN = 3.0
"""Percent of a figure's width that is left free on either side of its axis."""

LATENCY_MARGIN = 16.0
LATENCY_ENDS = (22, 340)
"""Pixels from the top to the upper and the lower end of the scale of latencies."""

ORIGINS = {None: "", "bundle": "from the bundle", "rebuilt": "rebuilt from the weights"}
"""The origin of a row's file, in words."""

UNIT = re.compile(r"(?<=\d) (?=(?:ns|µs|ms|s|B|KiB|MiB|%)(?!\w))")
"""The space between a number and its unit."""

SELF_CHECK = {
    "runs": ("runs of one call against itself", "{}"),
    "excluded": ("95 % intervals that exclude 1 (expected: about 5 %)", "{:.1%}"),
    "beyond_margin": ("runs that claim more than 1 %", "{}"),
    "spread": ("standard deviation of their ratios", "{:.3%}"),
    "copies_spread": ("the same for two fresh copies of the model", "{:.3%}"),
    "found_1_percent": ("a planted slowdown of 1 % was found in", "{:.0%} of the runs"),
    "found_3_percent": ("a planted slowdown of 3 % was found in", "{:.0%} of the runs"),
    "bias": ("error of the measured 3 % slowdown", "{:+.1%}"),
    "order_bias": ("without shuffling, a ratio moves by", "{:+.3%}"),
    "neighbour": ("beside another runtime, a ratio moves by", "{:+.3%}"),
    "after_2_s": ("smallest difference that is found within 2 s", "{:.2%}"),
    "after_10_s": ("the same within 10 s", "{:.2%}"),
    "benchmark": ("the same in a default benchmark", "{:.2%}"),
}
"""Label and format of each figure of a self-check; others are shown under their own names."""


def to_page(report: Report) -> str:
    """Render a report as an HTML page."""
    style, script = ((HERE / name).read_text(encoding="utf-8") for name in ("page.css", "page.js"))
    shown = [entry for entry in report.comparisons if any(row.status is not Status.SKIPPED for row in entry.rows)]
    return (
        _environment()
        .get_template("page.html.j2")
        .render(
            report=report,
            style=Markup(style),
            script=Markup(script),
            policy=f"default-src 'none'; style-src '{_hash(style)}'; script-src '{_hash(script)}'; "
            "base-uri 'none'; form-action 'none'",
            wrong=wrong_variants(report),
            cards=cards(report),
            environments=answers(report) if report.environments is not None else [],
            sentences={finding.where: finding.text for finding in findings(report)},
            certainty=certainty(report),
            noise_floor=noise_floor(report),
            resolution="" if (seen := resolution(report)) is None else percent(seen),
            compared=[comparison for comparison in report.comparisons if forest(comparison)],
            latency_plots=latency_plots(report),
            starts=starts(report),
            cold_budget=cold_budget(report),
            not_started=not_started(report),
            start_tops=_start_tops(report),
            skipped=skipped(report),
            equality=_equality(shown),
            runtimes=runtimes_by_ratio(report),
            shown=shown,
            tails=_tail_names(report),
            environment=[*_facts(machine_facts(report)), *environment_versions(report.environments).items()],
            settings=_facts({**asdict(report.settings), "rounds": rounds_run(report)}),
            self_check=_self_check(report.self_check),
            command=shlex.join(report.command),
            markdown=Markup("\n").join(map(printable, to_markdown(report).splitlines())),
        )
    )


def _environment() -> Environment:
    """Return a Jinja environment that escapes every value and has the functions that the template calls."""
    environment = Environment(
        loader=FileSystemLoader(HERE),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=_shown,
    )
    environment.filters |= {
        "across": _across,
        "along": _along,
        "duration": duration,
        "number": number,
        "rounded": _rounded,
        "short": _short,
        "unbroken": _unbroken,
    }
    environment.globals |= {
        "by_ratio": by_ratio,
        "fastest": fastest,
        "Sign": Sign,
        "Status": Status,
        "forest": forest,
        "interval": interval,
        "latency_ends": LATENCY_ENDS,
        "latency_places": _latency_places,
        "lifecycle_cells": lifecycle_cells,
        "runtime_cells": runtime_cells,
        "runtime_headings": RUNTIME_HEADINGS,
        "sign_of": sign_of,
        "start_names": START_PARTS,
        "start_parts": start_parts,
        "unnamed_level": unnamed_level,
        "where": where,
    }
    return environment


def _hash(text: str) -> str:
    return f"sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}"


def _shown(value: object) -> object:
    """Make text printable before the template shows it; leave markup and other values as they are."""
    return printable(value) if isinstance(value, str) and not isinstance(value, Markup) else value


def _short(text: str) -> str:
    return plain(text, LONGEST_NAME)


def _unbroken(text: str) -> Markup:
    """Return text in which no line ends between a number and its unit."""
    return Markup(UNIT.sub("&nbsp;", escape(printable(text))))


def _rounded(value: float) -> str:
    return f"{float(f'{value:.3g}'):,.0f}"


def _across(part: float) -> str:
    """Convert a position on an axis, from 0 to 1, to a horizontal position in its figure, in percent."""
    return f"{MARGIN + (100 - 2 * MARGIN) * part:.2f}%"


def _along(part: float) -> str:
    """Do what `_across` does for the latency figure, which has room for its scale on the left."""
    return f"{LATENCY_MARGIN + (100 - MARGIN - LATENCY_MARGIN) * part:.2f}%"


def _latency_places(plot: LatencyPlot, points: Sequence[tuple[int, float]]) -> list[tuple[str, str]]:
    """Return the position of each point of a line: percent from the left, pixels from the top."""
    top, bottom = LATENCY_ENDS
    return [
        (_along(plot.batches.place(batch)), f"{bottom - (bottom - top) * plot.seconds.place(seconds):.1f}")
        for batch, seconds in points
    ]


def _start_tops(report: Report) -> dict[int, float]:
    """Return the upper end in seconds of each lifecycle axis: 0 is the axis with the import, 1 the one without it."""
    rows = [start_parts(row) for row in report.lifecycle]
    return {first: round_top(max((sum(parts[first:]) for parts in rows), default=1.0)) for first in (0, 1)}


def _equality(comparisons: Sequence[Comparison]) -> list[tuple[str, str, list[Row | None]]]:
    """Return (name, origin of the file, row in each comparison) per variant with outputs; a row is None if not run."""
    found: dict[str, list[Row | None]] = {}
    origins: dict[str, str] = {}
    for place, comparison in enumerate(comparisons):
        for row in by_ratio(comparison):
            if row.answers:
                found.setdefault(row.name, [None] * len(comparisons))[place] = row
                origins[row.name] = ORIGINS[row.origin]
    return [(name, origins[name], rows) for name, rows in found.items()]


def _tail_names(report: Report) -> list[str]:
    """Return the names of all percentiles that any row has, in ascending order."""
    names = {name for comparison in report.comparisons for row in comparison.rows for name in row.tails_s}
    return sorted(names, key=lambda name: float(name.removeprefix("p")))


def _facts(values: Mapping[str, Any]) -> list[tuple[str, str]]:
    return [(name.removesuffix("_s").replace("_", " "), _fact(name, value)) for name, value in values.items()]


def _fact(name: str, value: Any) -> str:
    if value is None or isinstance(value, bool):
        return {None: "none", True: "yes", False: "no"}[value]
    if isinstance(value, Mapping):
        return ", ".join(f"{key} {_fact(key, inner)}" for key, inner in value.items()) or "none"
    if isinstance(value, list | tuple):
        return ", ".join(_fact(name, inner) for inner in value) or "none"
    return duration(value) if name.endswith("_s") and isinstance(value, float) else str(value)


def _self_check(values: Mapping[str, Any] | None) -> list[tuple[str, str]] | None:
    """Return the figures of a self-check; its machine is left out, since it is that of the report."""
    if values is None:
        return None
    found = []
    resolution = values.get("resolution")
    flat = {**values, **resolution} if isinstance(resolution, Mapping) else values
    for name, value in flat.items():
        if name in SELF_CHECK and isinstance(value, int | float):
            label, pattern = SELF_CHECK[name]
            found.append((label, pattern.format(value).replace("%", " %")))
        elif value is not resolution and name not in ("environment", "passed"):
            found += _facts({name: value})
    return found
