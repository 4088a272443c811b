"""The gates of `linreg bench`: how each ratio has changed, and which rows exceed a limit or a budget."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from bench.plan.budget import Budget
from linreg.cli.terminal import say_lines, show
from linreg.config import BenchSettings
from linreg.errors import LinregError, MismatchError, SlowerError

if TYPE_CHECKING:
    from bench.report.budget import Spent
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


@dataclass(frozen=True, kw_only=True)
class Judgement:
    """What the gates of a benchmark found.

    Attributes:
        changes: change of each ratio.
        spent: how much of each budget each row took.
        lines: one line for each gate: `gate: passed; ...`.
        failure: the error to raise once the report is written; None if all gates passed.
    """

    changes: "Sequence[Change]" = ()
    spent: "Sequence[Spent]" = ()
    lines: Sequence[str] = ()
    failure: LinregError | None = None


def judge(report: "Report", old: "Report | None", limit: float | None, budgets: Sequence[Budget]) -> Judgement:
    """Judge a report by the gates that were asked for.

    The ratios are compared with the old report; without one, and with a limit, those of `--against` are judged. If
    outputs are wrong, that is the failure, and nothing is compared. The failure is not raised, because the report is
    useful all the same, and is written first.
    """
    from bench.report.budget import budget_line, judge_budgets
    from bench.report.environments import environment_changes
    from bench.report.gate import compare_reports, first_wrong, gate_line, slower_than_reference

    if reason := first_wrong(report):
        return Judgement(failure=MismatchError(reason))
    try:
        changes = [] if old is None else compare_reports(old, report, limit=limit)
        if report.environments is not None and limit is not None:
            changes = environment_changes(report.environments, limit=limit)
        elif old is None and limit is not None:
            changes = slower_than_reference(report, limit=limit)
        spent = judge_budgets(report, budgets)
    except LinregError as error:
        return Judgement(failure=error)
    lines = [gate_line(changes, limit)] if changes and limit is not None else []
    lines += [budget_line(spent)] if spent else []
    return Judgement(changes=changes, spent=spent, lines=lines, failure=_slower(changes, limit) or _over(spent))


def json_of(judged: Judgement) -> dict[str, Any]:
    """Return what the gates found as JSON values, by key; nothing for gates that were not asked for."""
    found = {
        "changes": [asdict(change) for change in judged.changes],
        "budgets": [asdict(entry) for entry in judged.spent],
    }
    return {key: entries for key, entries in found.items() if entries}


def _slower(changes: "Sequence[Change]", limit: float | None) -> SlowerError | None:
    """Return the error of the row that slowed down most, if any did so beyond the limit."""
    slower = [change for change in changes if change.slower]
    if not slower or limit is None:
        return None
    worst = max(slower, key=lambda change: change.ratio.estimate)
    return SlowerError(
        f"{worst.name} at batch {worst.batch} is {(worst.ratio.estimate - 1) * 100:.1f} % slower "
        f"({(worst.ratio.low - 1) * 100:+.1f} % to {(worst.ratio.high - 1) * 100:+.1f} %), "
        f"allowed {limit * 100:.1f} %, exceeded by {len(slower)} of {len(changes)} rows"
    )


def _over(spent: "Sequence[Spent]") -> SlowerError | None:
    """Return the error of the row that exceeds its budget most, if any does."""
    from bench.report.budget import worst_of

    over = [entry for entry in spent if entry.over]
    return SlowerError(f"--budget: {worst_of(over)}; exceeded by {len(over)} of {len(spent)} rows") if over else None


def show_changes(changes: "Sequence[Change]", *, markdown: bool) -> None:
    """Print the changes as a table, for the terminal or for a pull request."""
    from bench.report.markdown import markdown_table
    from bench.report.tables import changes_table
    from bench.report.terminal import TerminalTable

    table = changes_table(changes)
    if markdown:
        say_lines(f"\n{markdown_table(table)}")
    else:
        show(TerminalTable(table))
