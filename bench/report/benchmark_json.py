"""Write the ratios of a report as a file of github-action-benchmark, whose tool is then `customSmallerIsBetter`.

Ratios are followed over time rather than nanoseconds, which vary from one hosted machine to the next.
"""

from typing import Any

from bench.analysis.parts import Status
from bench.report.numbers import duration
from bench.report.report import Report
from bench.report.tables import interval, where


def benchmark_entries(report: Report) -> list[dict[str, Any]]:
    """Return one entry for each row that is judged, with its ratio to the reference as the value."""
    return [
        {
            "name": f"{row.name}, {where(comparison)}",
            "unit": f"of the time of {report.reference}",
            "value": row.ratio.estimate,
            "range": f"{interval(row.ratio)} (95 % interval)",
            "extra": f"{duration(row.median_s)} per call, {report.scope}" if row.median_s else report.scope,
        }
        for comparison in report.comparisons
        for row in comparison.rows
        if row.status is Status.TIMED and row.verdict is not None and row.ratio is not None
    ]
