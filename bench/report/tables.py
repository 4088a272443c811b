"""A report for the terminal and for a pull request."""

import re
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from bench.analysis.gate import Change

if TYPE_CHECKING:
    from rich.table import Table

HEADINGS = ("variant", "median", "ratio", "95 % interval", "error / allowed", "bytes", "verdict")
LIFECYCLE_HEADINGS = (
    "start of",
    "import",
    "load",
    "1st call",
    "2nd",
    "3rd",
    "steady after",
    "memory",
    "ahead",
)

CHANGE_HEADINGS = ("variant", "batch x threads", "new ratio / old", "95 % interval", "gate")
RUNTIME_HEADINGS = ("runtime", "version", "batch", "a call", "million rows/s", "ratio, 95 % interval", "proved by")


def title(report: Mapping[str, Any], comparison: Mapping[str, Any]) -> str:
    """What one comparison is of."""
    return f"{where(comparison)}, {report['scope']}; ratios to {report['reference']}"


def where(comparison: Mapping[str, Any]) -> str:
    """Batch, threads and device of a comparison."""
    return f"batch {comparison['batch']}, {budget(comparison)}, {comparison['device'].upper()}"


def budget(comparison: Mapping[str, Any]) -> str:
    """The threads of a comparison; where onnxruntime had others, both."""
    threads, other = comparison["threads"], comparison["onnxruntime_threads"]
    text = f"{threads} thread{'' if threads == 1 else 's'}"
    return text if other == threads else f"{text} (onnxruntime {other})"


def comparison_table(
    report: Mapping[str, Any], comparison: Mapping[str, Any], clean: Callable[[str], str] = str
) -> "Table":
    """One comparison for the terminal; a variant that answers wrongly is struck out and has no latency.

    Args:
        report: the JSON values of a report.
        comparison: one of its comparisons.
        clean: shows control characters in names instead of obeying them.
    """
    from rich.table import Table
    from rich.text import Text

    table = Table(title=Text(clean(title(report, comparison))), title_justify="left")
    for place, heading in enumerate(HEADINGS):
        table.add_column(Text(heading), justify="right" if 0 < place < 5 else "left", overflow="fold")
    for row in comparison["rows"]:
        if not row["problem"]:
            table.add_row(*(Text(clean(cell)) for cell in cells(row)))
    for row in comparison["rows"]:
        if row["problem"] and not row["problem"].startswith("skipped"):
            table.add_row(Text(clean(row["name"]), style="strike"), *[""] * 4, "no", Text(clean(row["problem"])))
    return table


def cells(row: Mapping[str, Any]) -> list[str]:
    """One row that has a latency."""
    ratio = row["ratio"]
    interval = "" if ratio is None else f"{number(ratio['low'])} to {number(ratio['high'])}"
    return [
        row["name"],
        duration(row["median_s"]),
        number(ratio["estimate"]) if ratio is not None else "1" if row["answers"] else "",
        interval,
        "" if row["worst_error"] is None else f"{row['worst_error']:.2f}",
        {True: "as eager", False: "other", None: ""}[row["bytes_equal"]],
        (row["verdict"] or "") + (" (launching takes most of it)" if row["launch_bound"] else ""),
    ]


def skipped(report: Mapping[str, Any]) -> list[str]:
    """A line for each reason why rows of a device were not run."""
    names: dict[tuple[str, str], list[str]] = {}
    for comparison in report["comparisons"]:
        for row in comparison["rows"]:
            if row["problem"].startswith("skipped"):
                found = names.setdefault((comparison["device"], row["problem"]), [])
                if row["name"] not in found:
                    found.append(row["name"])
    return [f"{device}: {', '.join(found)}: {why}" for (device, why), found in names.items()]


def lifecycle_table(report: Mapping[str, Any], clean: Callable[[str], str] = str) -> "Table":
    """What each variant costs before it is fast, from processes in which it was loaded first."""
    from rich.table import Table
    from rich.text import Text

    table = Table(title="from the start of a fresh process", title_justify="left")
    for place, heading in enumerate(LIFECYCLE_HEADINGS):
        table.add_column(heading, justify="left" if place == 0 else "right")
    for row in report["lifecycle"]:
        table.add_row(*(Text(clean(cell)) for cell in lifecycle_cells(row)))
    return table


def lifecycle_cells(row: Mapping[str, Any]) -> list[str]:
    """One row of the lifecycle."""
    steady, ahead = row["calls_until_steady"], row["break_even_calls"]
    return [
        row["name"],
        duration(row["import_s"]),
        duration(row["load_s"]),
        *(duration(seconds) for seconds in row["calls_s"]),
        "not yet" if steady is None else f"{steady} calls",
        f"{row['memory_bytes'] / 2**20:.0f} MiB",
        "" if ahead is None else ahead if isinstance(ahead, str) else "at once" if ahead == 0 else f"{ahead:,} calls",
    ]


def runtimes_table(report: Mapping[str, Any], clean: Callable[[str], str] = str) -> "Table":
    """Runtimes without Python, from processes that alternated with Python's."""
    from rich.table import Table
    from rich.text import Text

    table = Table(title="the same model.onnx without Python; ratios to Python's onnxruntime", title_justify="left")
    for place, heading in enumerate(RUNTIME_HEADINGS):
        table.add_column(heading, justify="right" if 1 < place < 6 else "left", overflow="fold")
    for row in report["runtimes"]["rows"]:
        table.add_row(*(Text(clean(cell)) for cell in runtime_cells(row)))
    return table


def runtime_cells(row: Mapping[str, Any]) -> list[str]:
    """One runtime at one batch."""
    ratio, millions = row["ratio"], row["rows_per_s"] / 1e6
    return [
        row["name"],
        row["version"],
        str(row["batch"]),
        duration(row["median_s"]),
        f"{millions:.3g}" if millions < 1000 else f"{millions:,.0f}",
        "1" if ratio is None else f"{number(ratio['estimate'])}, {number(ratio['low'])} to {number(ratio['high'])}",
        row["proof"].partition(": ")[2],
    ]


def to_markdown(report: Mapping[str, Any]) -> str:
    """The tables for a pull request."""
    environment, parts = report["environment"], []
    for comparison in report["comparisons"]:
        rows = [[_escape(cell) for cell in cells(row)] for row in comparison["rows"] if not row["problem"]]
        rows += [
            [f"~~{_escape(row['name'])}~~", "", "", "", "", "no", _escape(row["problem"])]
            for row in comparison["rows"]
            if row["problem"] and not row["problem"].startswith("skipped")
        ]
        if rows:
            parts.append(f"**{_escape(title(report, comparison))}**\n\n{markdown_table(HEADINGS, rows)}")
    if report["lifecycle"]:
        rows = [[_escape(cell) for cell in lifecycle_cells(row)] for row in report["lifecycle"]]
        parts.append(f"**from the start of a fresh process**\n\n{markdown_table(LIFECYCLE_HEADINGS, rows)}")
    if report["runtimes"]:
        rows = [[_escape(cell) for cell in runtime_cells(row)] for row in report["runtimes"]["rows"]]
        parts.append(f"**the same model.onnx without Python**\n\n{markdown_table(RUNTIME_HEADINGS, rows)}")
    parts += [_escape(line) for line in skipped(report)]
    versions = ", ".join(f"{name} {version}" for name, version in environment["versions"].items())
    machine = _escape(f"{environment['cores']} cores of {environment['processor']}; {versions}")
    parts.append(f"{machine}; {_code(' '.join(report['command']))}")
    return "\n\n".join(parts) + "\n"


def change_cells(change: Change) -> list[str]:
    """How the ratio of one row has changed."""
    ratio = change.ratio
    return [
        change.name,
        f"{change.device} {change.batch} x {change.threads}",
        number(ratio.estimate),
        f"{number(ratio.low)} to {number(ratio.high)}",
        "slower" if change.slower else "",
    ]


def markdown_table(headings: tuple[str, ...], rows: list[list[str]]) -> str:
    """A table in Markdown; what is in it is text, whatever it looks like."""
    lines = [headings, tuple("---" for _ in headings), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def _escape(text: str) -> str:
    """Text from files as it is: no table cell, no HTML, no emphasis but ours."""
    for sign, shown in (("&", "&amp;"), ("<", "&lt;"), (">", "&gt;"), ("\\", "&#92;")):
        text = text.replace(sign, shown)
    text = re.sub(r"([|*`~\[\]])", r"\\\1", " ".join(text.splitlines()))
    return re.sub(r"(?<!\w)_|_(?!\w)", r"\\_", text)  # inside of a word it is no emphasis


def _code(text: str) -> str:
    """Text as code, between more backticks than it has in a row."""
    fence = "`" * (1 + max(map(len, re.findall("`+", text)), default=0))
    return (
        f"{fence} {' '.join(text.splitlines())} {fence}"
        if "`" in text
        else f"{fence}{' '.join(text.splitlines())}{fence}"
    )


def number(value: float | None) -> str:
    """A ratio with three decimals, or two digits where it is small; an open end is shown as infinity."""
    if value is None:
        return "∞"
    return f"{value:.3f}" if value >= 0.0995 or value == 0 else f"{value:.2g}"


def duration(seconds: float) -> str:
    """Seconds with at most three digits in a unit that fits."""
    for unit, size in (("s", 1.0), ("ms", 1e-3), ("µs", 1e-6)):
        if seconds >= size * 0.9995:  # what three digits would round up to it
            return f"{seconds / size:.3g} {unit}"
    return f"{seconds / 1e-9:.3g} ns"
