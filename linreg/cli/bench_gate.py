"""`linreg bench --compare` and `--fail-slower`: how each ratio has changed, and where that is too much."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from linreg.cli.terminal import say_lines, show_table
from linreg.config import BenchSettings
from linreg.errors import LinregError, MismatchError, SlowerError

if TYPE_CHECKING:
    from bench.analysis.gate import Change


def check_old(old: Mapping[str, Any], settings: BenchSettings) -> None:
    """See before the work that what it gives can be compared with an older report.

    Raises:
        LinregError: it cannot.
    """
    from bench.analysis.gate import check_same
    from bench.environment import describe_environment

    coming = {
        "environment": describe_environment(),
        "settings": {"threads": list(settings.threads), "onnxruntime_threads": settings.onnxruntime_threads},
        "reference": settings.reference,
    }
    check_same(old, coming)
    if settings.processes < 2 or old["settings"].get("processes_run", 2) < 2:
        raise LinregError("--compare: needs two processes or more, in the old report too; run with --processes 10")
    if not set(settings.batches) & {comparison["batch"] for comparison in old["comparisons"]}:
        raise LinregError("--compare: the reports have no row in common; run with the same --batch")


def judge(
    report: Mapping[str, Any], old: Mapping[str, Any] | None, limit: float | None
) -> "tuple[list[Change], LinregError | None]":
    """How each ratio has changed, or that of `--against` stands; or why nothing can be said, to be raised at the end.

    A row that answers wrongly comes first; a report that cannot be compared is of use all the same.
    """
    from bench.analysis.gate import compare_reports, slower_than_reference

    for comparison in report["comparisons"]:
        for row in comparison["rows"]:
            if row["problem"] and not row["problem"].startswith("skipped"):
                return [], MismatchError(row["problem"])
    if old is None:
        return ([] if limit is None else slower_than_reference(report, limit=limit)), None
    try:
        return compare_reports(old, report, limit=limit), None
    except LinregError as error:
        return [], error


def show_changes(changes: "list[Change]", *, markdown: bool) -> None:
    """The changes as a table, on the terminal or for a pull request."""
    from bench.report.tables import CHANGE_HEADINGS, change_cells, markdown_table

    rows = [change_cells(change) for change in changes]
    title = "change of each ratio to the reference"
    if markdown:
        say_lines(f"\n**{title}**\n\n{markdown_table(CHANGE_HEADINGS, rows)}")
    else:
        show_table(title, CHANGE_HEADINGS, rows, left=2)


def check_changes(changes: "list[Change]", limit: float | None) -> None:
    """Fail where a ratio has grown beyond the limit.

    Raises:
        SlowerError: one has.
    """
    slower = [change for change in changes if change.slower]
    if slower and limit is not None:
        worst = max(slower, key=lambda change: change.ratio.estimate)
        raise SlowerError(
            f"{worst.name} at batch {worst.batch} is {worst.ratio.estimate - 1:.1%} slower "
            f"({worst.ratio.low - 1:+.1%} to {worst.ratio.high - 1:+.1%}), allowed {limit:.1%}; "
            f"{len(slower)} of {len(changes)} rows are"
        )
