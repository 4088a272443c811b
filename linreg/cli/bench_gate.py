"""`linreg bench --compare` and `--fail-slower`: how each ratio has changed, and whether that exceeds the limit."""

from typing import TYPE_CHECKING

from linreg.cli.terminal import say_lines, show
from linreg.config import BenchSettings
from linreg.errors import LinregError, MismatchError, SlowerError

if TYPE_CHECKING:
    from bench.report.gate import Change
    from bench.report.report import Report


def check_old(old: "Report", settings: BenchSettings) -> None:
    """Check, before timing starts, that the new report will be comparable with an older one.

    Raises:
        LinregError: the reports cannot be compared.
    """
    from bench.environment import describe_environment
    from bench.report.gate import check_same

    check_same(old, describe_environment(), settings)
    if settings.processes < 2 or old.settings.processes_run < 2:
        raise LinregError("--compare: needs two processes or more, in the old report too; run with --processes 10")
    if not set(settings.batches) & {comparison.batch for comparison in old.comparisons}:
        raise LinregError("--compare: the reports have no row in common; run with the same --batch")


def judge(report: "Report", old: "Report | None", limit: float | None) -> "tuple[list[Change], LinregError | None]":
    """Return the change of each ratio, and an error to raise once the report is written.

    The ratios are compared with the old report; without one, and with a limit, those of `--against` are returned. If
    outputs are wrong, that is the error, and nothing is compared. The report is written before an error is raised,
    because it is useful even if it cannot be compared.
    """
    from bench.report.environments import environment_changes
    from bench.report.gate import compare_reports, first_wrong, slower_than_reference

    if reason := first_wrong(report):
        return [], MismatchError(reason)
    if report.environments is not None:
        return ([] if limit is None else environment_changes(report.environments, limit=limit)), None
    if old is None:
        return ([] if limit is None else slower_than_reference(report, limit=limit)), None
    try:
        return compare_reports(old, report, limit=limit), None
    except LinregError as error:
        return [], error


def show_changes(changes: "list[Change]", *, markdown: bool) -> None:
    """Print the changes as a table, for the terminal or for a pull request."""
    from bench.report.markdown import markdown_table
    from bench.report.tables import changes_table
    from bench.report.terminal import TerminalTable

    table = changes_table(changes)
    if markdown:
        say_lines(f"\n{markdown_table(table)}")
    else:
        show(TerminalTable(table))


def check_changes(changes: "list[Change]", limit: float | None) -> None:
    """Fail if any change was judged slower; without a limit, do nothing.

    Raises:
        SlowerError: a slowdown exceeds the limit, and its whole interval lies above 1.
    """
    slower = [change for change in changes if change.slower]
    if slower and limit is not None:
        worst = max(slower, key=lambda change: change.ratio.estimate)
        raise SlowerError(
            f"{worst.name} at batch {worst.batch} is {worst.ratio.estimate - 1:.1%} slower "
            f"({worst.ratio.low - 1:+.1%} to {worst.ratio.high - 1:+.1%}), allowed {limit:.1%}, exceeded by "
            f"{len(slower)} of {len(changes)} rows"
        )
