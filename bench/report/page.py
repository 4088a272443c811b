"""A report as one HTML file that needs nothing beside it: no network, no font, and no script to be read.

Its script only sorts tables. The content security policy allows that script and that style by their hashes, and nothing
else, so that no name in a report can do more than be shown.
"""

import base64
import hashlib
import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from bench.report.findings import certainty, findings, noise_floor, wrong_answers
from bench.report.plot_data import (
    START_PARTS,
    LatencyPlot,
    Sign,
    forest,
    is_skipped,
    latency_plots,
    plain,
    round_top,
    sign_of,
    start_parts,
    timed,
)
from bench.report.tables import RUNTIME_HEADINGS, duration, lifecycle_cells, number, runtime_cells, skipped, where

HERE = Path(__file__).parent

LONGEST_NAME = 32
"""Characters of a name that fit beside a ratio on a phone; the whole name is in the tables."""

MARGIN = 3.0
"""Percent of a figure's width that is left beside its axis."""

LATENCY_MARGIN = 16.0
LATENCY_ENDS = (22, 340)
"""Pixels from the top to the upper and the lower end of the scale of latencies."""

ORIGINS = {None: "", "bundle": "the bundle's", "rebuilt": "made anew"}
"""Where the file of a row is from, in words."""

SELF_CHECK = {
    "runs": ("runs of one call against itself", "{}"),
    "excluded": ("of them, 95 % intervals that exclude 1 (about 5 % are right)", "{:.1%}"),
    "beyond_margin": ("of them, claims of more than 1 %", "{}"),
    "spread": ("standard deviation of their ratios", "{:.3%}"),
    "copies_spread": ("the same for two fresh copies of the model", "{:.3%}"),
    "found_1_percent": ("a planted 1 % was found in", "{:.0%} of the runs"),
    "found_3_percent": ("a planted 3 % was found in", "{:.0%} of the runs"),
    "bias": ("error of the planted 3 % as found", "{:+.1%}"),
    "order_bias": ("an order that is never shuffled moves a ratio by", "{:+.3%}"),
    "neighbour": ("another runtime beside it moves a ratio by", "{:+.3%}"),
}
"""What is said about each figure of a self-check; others are shown under their own names."""


def to_page(report: Mapping[str, Any]) -> str:
    """The page of a report.

    Args:
        report: its JSON values, as `bench.report.schema.to_json` makes them.
    """
    style, script = ((HERE / name).read_text(encoding="utf-8") for name in ("page.css", "page.js"))
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
    }
    environment.globals |= {
        "Sign": Sign,
        "forest": forest,
        "latency_ends": LATENCY_ENDS,
        "latency_places": _latency_places,
        "is_skipped": is_skipped,
        "sign_of": sign_of,
        "start_parts": start_parts,
        "timed": timed,
        "where": where,
    }
    asked = [entry for entry in report["comparisons"] if not all(is_skipped(row) for row in entry["rows"])]
    return environment.get_template("page.html.j2").render(
        report=report,
        style=Markup(style),
        script=Markup(script),
        policy=f"default-src 'none'; style-src '{_hash(style)}'; script-src '{_hash(script)}'; "
        "base-uri 'none'; form-action 'none'",
        wrong=wrong_answers(report),
        findings=findings(report),
        certainty=certainty(report),
        noise_floor=noise_floor(report),
        compared=[comparison for comparison in report["comparisons"] if forest(report, comparison)],
        latency_plots=latency_plots(report),
        start_names=START_PARTS,
        start_tops=_start_tops(report),
        lifecycle_cells=lifecycle_cells,
        runtime_cells=runtime_cells,
        runtime_headings=RUNTIME_HEADINGS,
        skipped=skipped(report),
        equality=_equality(asked),
        asked=asked,
        tails=_tail_names(report),
        environment=_facts(report["environment"]),
        settings=_facts(report["settings"]),
        self_check=_self_check(report["self_check"]),
        command=shlex.join(report["command"]),
    )


def _hash(text: str) -> str:
    return f"sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}"


def _shown(value: object) -> object:
    """Every text that the template puts out, so that none is forgotten; what is markup already is left alone."""
    return plain(value) if isinstance(value, str) and not isinstance(value, Markup) else value


def _short(text: str) -> str:
    return plain(text, LONGEST_NAME)


def _rounded(value: float) -> str:
    return f"{float(f'{value:.3g}'):,.0f}"


def _across(part: float) -> str:
    """A place on an axis, from 0 to 1, as a place in a figure."""
    return f"{MARGIN + (100 - 2 * MARGIN) * part:.2f}%"


def _along(part: float) -> str:
    """The same in the figure of latencies, which has its scale on the left."""
    return f"{LATENCY_MARGIN + (100 - MARGIN - LATENCY_MARGIN) * part:.2f}%"


def _latency_places(plot: LatencyPlot, points: Sequence[tuple[int, float]]) -> list[tuple[str, str]]:
    """Where the points of a line are: percent across, pixels down."""
    top, bottom = LATENCY_ENDS
    return [
        (_along(plot.batches.place(batch)), f"{bottom - (bottom - top) * plot.seconds.place(seconds):.1f}")
        for batch, seconds in points
    ]


def _start_tops(report: Mapping[str, Any]) -> dict[int, float]:
    """Where the axes of the lifecycle end: from the start of the process (0), and after the import (1)."""
    rows = [start_parts(row) for row in report["lifecycle"]]
    return {first: round_top(max((sum(parts[first:]) for parts in rows), default=1.0)) for first in (0, 1)}


def _equality(comparisons: Sequence[Mapping[str, Any]]) -> list[tuple[str, str, list[Mapping[str, Any] | None]]]:
    """For each variant that answers: where its file is from, and its row in each comparison, None where not run."""
    found: dict[str, list[Mapping[str, Any] | None]] = {}
    origins: dict[str, str] = {}
    for place, comparison in enumerate(comparisons):
        for row in comparison["rows"]:
            if row["answers"] and not is_skipped(row):
                found.setdefault(row["name"], [None] * len(comparisons))[place] = row
                origins[row["name"]] = ORIGINS[row["origin"]]
    return [(name, origins[name], rows) for name, rows in found.items()]


def _tail_names(report: Mapping[str, Any]) -> list[str]:
    """The percentiles that any row has, in order."""
    names = {name for comparison in report["comparisons"] for row in comparison["rows"] for name in row["tails_s"]}
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
    """The figures of a self-check, without the machine: it is that of the report."""
    if values is None:
        return None
    found = []
    for name, value in values.items():
        if name in SELF_CHECK and isinstance(value, int | float):
            label, pattern = SELF_CHECK[name]
            found.append((label, pattern.format(value).replace("%", " %")))
        elif name not in ("environment", "passed"):
            found += _facts({name: value})
    return found
