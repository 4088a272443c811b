"""Decide whether the tails of a benchmark keep within a budget.

The calls are timed one by one, each after the one before has ended: a closed loop. A server whose requests arrive at
their own times has longer tails, since they also wait for each other.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from bench.analysis.parts import Comparison, Row, Status
from bench.plan.budget import Budget
from bench.plan.variants import NULL, Device
from bench.report.numbers import duration
from bench.report.report import Report
from linreg.errors import LinregError

CLOSED_LOOP = "a closed loop: requests that wait for each other take longer"


@dataclass(frozen=True, kw_only=True)
class Spent:
    """How much of a budget one row took.

    Attributes:
        device: device of the comparison.
        threads: number of torch threads.
        batch: batch size.
        name: name of the row.
        percentile: which percentile is limited, such as `p99`.
        measured_s: seconds that the percentile took.
        limit_s: seconds allowed.
        calls: number of calls that were timed one by one.
        at_least: whether there were too few calls for the percentile, and a lower one exceeds the limit.
        over: whether it took more than is allowed.
    """

    device: str
    threads: int
    batch: int
    name: str
    percentile: str
    measured_s: float
    limit_s: float
    calls: int
    at_least: bool
    over: bool

    def __str__(self) -> str:
        counted = f"{self.calls:,} calls" if self.calls else "its rounds"
        return (
            f"{self.name} at batch {self.batch}, {self.percentile} {'at least ' if self.at_least else ''}"
            f"{duration(self.measured_s)} of {duration(self.limit_s)} allowed, over {counted}"
        )


def judge_budgets(report: Report, budgets: Sequence[Budget]) -> list[Spent]:
    """Return what each row on the CPU took of each budget that limits it.

    Raises:
        LinregError: a budget names a row that was not timed, or a row has too few calls for the percentile.
    """
    timed = [
        (comparison, row)
        for comparison in report.comparisons
        if comparison.device == Device.CPU
        for row in comparison.rows
        if row.status is Status.TIMED and row.answers and row.name != NULL
    ]
    return [_spent(budget, *entry) for budget in budgets for entry in _limited(budget, timed)]


def _limited(budget: Budget, timed: list[tuple[Comparison, Row]]) -> list[tuple[Comparison, Row]]:
    found = [(comparison, row) for comparison, row in timed if budget.row in ("", row.name)]
    if not found:
        names = ", ".join(dict.fromkeys(row.name for _, row in timed))
        raise LinregError(f"--budget {budget.text}: {budget.row!r} was not timed, expected one of {names}")
    return found


def _spent(budget: Budget, comparison: Comparison, row: Row) -> Spent:
    measured_s = row.tails_s.get(budget.percentile)
    at_least = measured_s is None
    if measured_s is None:  # it is longer than each lower percentile, and than the median of the rounds
        measured_s = max(row.tails_s.values(), default=row.median_s or 0.0)
    if at_least and measured_s <= budget.limit_s:
        raise LinregError(
            f"--budget {budget.text}: {row.name} at batch {comparison.batch} was timed in {row.tail_calls} single "
            f"calls, and {budget.percentile} needs {budget.calls}; use a lower percentile, or more --processes"
        )
    return Spent(
        device=comparison.device,
        threads=comparison.threads,
        batch=comparison.batch,
        name=row.name,
        percentile=budget.percentile,
        measured_s=measured_s,
        limit_s=budget.limit_s,
        calls=row.tail_calls,
        at_least=at_least,
        over=measured_s > budget.limit_s,
    )


def worst_of(spent: Sequence[Spent]) -> Spent:
    """Return the row that took the largest part of its budget."""
    return max(spent, key=lambda entry: entry.measured_s / entry.limit_s)


def budget_line(spent: Sequence[Spent]) -> str:
    """Say in one line whether all rows keep within their budgets, and how much of it the worst took."""
    over = sum(entry.over for entry in spent)
    verdict, count = ("failed", f"; exceeded by {over} of {len(spent)}") if over else ("passed", "")
    return f"budget: {verdict}; the worst is {worst_of(spent)} ({CLOSED_LOOP}){count}"
