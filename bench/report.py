"""How a comparison is shown: versioned JSON with every raw block, and a table for the terminal."""

import math
from typing import TYPE_CHECKING, Any

from bench.comparison import Comparison, Row

if TYPE_CHECKING:
    from rich.table import Table

SCHEMA_VERSION = 1
"""1: comparisons by batch; rows with raw block times, ratio to the reference row, its 95 % interval (null: open)."""


def to_json(
    comparisons: list[Comparison], *, state_sha256: str, reference: str, environment: dict[str, Any]
) -> dict[str, Any]:
    """The report as JSON values; times in seconds."""
    return {
        "schema_version": SCHEMA_VERSION,
        "state_sha256": state_sha256,
        "reference": reference,
        "scope": "this process only",
        "environment": environment,
        "comparisons": [
            {"batch": comparison.batch, "rows": [_row(row) for row in comparison.rows]} for comparison in comparisons
        ],
    }


def _row(row: Row) -> dict[str, Any]:
    value: dict[str, Any] = {
        "name": row.name,
        "worst_error": row.worst_error,
        "bytes_equal": row.bytes_equal,
        "problem": row.problem,
        "median_s": row.median_s,
        "ratio": None,
        "verdict": row.verdict,
    }
    if row.ratio is not None:
        value["ratio"] = {"estimate": row.ratio.estimate, "low": row.ratio.low, "high": _finite(row.ratio.high)}
    if row.blocks is not None:
        value["calls_per_block"] = row.blocks.calls
        value["block_s"] = [round(seconds, 9) for seconds in row.blocks.block_s.tolist()]
    return value


def _finite(value: float) -> float | None:
    """None for infinity, the end of the interval of too few rounds: JSON has none."""
    return value if math.isfinite(value) else None


def to_table(comparison: Comparison, *, reference: str) -> "Table":
    """One batch for the terminal; a variant that answers wrongly is struck out and has no latency."""
    from rich.table import Table
    from rich.text import Text

    table = Table(title=f"batch {comparison.batch}, 1 thread, CPU, this process only", title_justify="left")
    table.add_column("variant")
    for heading in ("median", f"ratio to {reference}", "95 % interval", "error / allowed"):
        table.add_column(Text(heading), justify="right")  # text: a name may look like markup
    table.add_column("bytes equal")
    table.add_column("verdict")
    for row in comparison.rows:
        if row.problem or row.median_s is None or row.worst_error is None:
            table.add_row(Text(row.name, style="strike"), "", "", "", "", "no", Text(row.problem))
            continue
        interval = "" if row.ratio is None else f"{row.ratio.low:.3f} to {row.ratio.high:.3f}"
        table.add_row(
            Text(row.name),
            duration(row.median_s),
            "1" if row.ratio is None else f"{row.ratio.estimate:.3f}",
            interval,
            f"{row.worst_error:.2f}",
            "yes" if row.bytes_equal else "no",
            "" if row.verdict is None else str(row.verdict),
        )
    return table


def duration(seconds: float) -> str:
    """Seconds with at most three digits in a unit that fits."""
    for unit, size in (("s", 1.0), ("ms", 1e-3), ("µs", 1e-6)):
        if seconds >= size * 0.9995:  # what three digits would round up to it
            return f"{seconds / size:.3g} {unit}"
    return f"{seconds / 1e-9:.3g} ns"
