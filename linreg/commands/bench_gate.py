"""`linreg bench --compare` and `--fail-slower`: how each ratio has changed, and where that is too much."""

from collections.abc import Mapping
from typing import Any

from linreg.commands.terminal import show_table
from linreg.errors import LinregError, SlowerError


def check_old(old: Mapping[str, Any], *, threads: tuple[int, ...], reference: str, processes: int) -> None:
    """See before the work that what it gives can be compared with an older report.

    Raises:
        LinregError: it cannot.
    """
    from bench.environment import describe_environment
    from bench.gate import check_same

    coming = {
        "environment": describe_environment(),
        "settings": {"threads": list(threads)},
        "reference": reference,
    }
    check_same(old, coming)
    if processes < 2:
        raise LinregError("--compare: needs two processes or more; run with --processes 10")


def check_gate(report: Mapping[str, Any], old: Mapping[str, Any] | None, limit: float | None, *, quiet: bool) -> None:
    """Show how each ratio has changed, and fail where one has grown beyond the limit.

    Raises:
        SlowerError: it has.
        LinregError: the reports cannot be compared.
    """
    from bench.gate import compare_reports, slower_than_reference

    changes = slower_than_reference(report, limit=limit) if old is None else compare_reports(old, report, limit=limit)
    if old is not None and not quiet:
        rows = [
            [
                change.name,
                f"{change.device} {change.batch} x {change.threads}",
                f"{change.ratio.estimate:.3f}",
                f"{change.ratio.low:.3f} to {change.ratio.high:.3f}",
                "slower" if change.slower else "",
            ]
            for change in changes
        ]
        headings = ["variant", "batch x threads", "new ratio / old", "95 % interval", "gate"]
        show_table("change of each ratio to the reference", headings, rows, left=2)
    slower = [change for change in changes if change.slower]
    if slower and limit is not None:
        worst = max(slower, key=lambda change: change.ratio.estimate)
        raise SlowerError(
            f"{worst.name} at batch {worst.batch} is {worst.ratio.estimate - 1:.1%} slower "
            f"({worst.ratio.low - 1:+.1%} to {worst.ratio.high - 1:+.1%}), allowed {limit:.1%}; "
            f"{len(slower)} of {len(changes)} rows are"
        )
