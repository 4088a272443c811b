"""A limit for a percentile of the latency, such as `p99=10ms`."""

import math
import re
from collections.abc import Collection, Iterable
from dataclasses import dataclass

from linreg.errors import LinregError

TAIL_COUNTS = {"p50": (0.5, 11), "p90": (0.9, 64), "p99": (0.99, 662), "p99.9": (0.999, 6636)}
"""Each percentile with its quantile and the calls that it needs: MLPerf's early stopping at 99 % confidence."""

UNITS_S = {"ns": 1e-9, "us": 1e-6, "µs": 1e-6, "ms": 1e-3, "s": 1.0}


@dataclass(frozen=True, kw_only=True)
class Budget:
    """The longest time that a percentile of a row's calls may take.

    Attributes:
        text: the budget as it was given.
        row: name of the row that it limits; empty for all rows.
        percentile: a key of `TAIL_COUNTS`.
        limit_s: seconds allowed.
    """

    text: str
    row: str
    percentile: str
    limit_s: float

    @property
    def calls(self) -> int:
        """How many calls the percentile needs."""
        return TAIL_COUNTS[self.percentile][1]


def parse_budget(text: str) -> Budget:
    """Parse a budget such as `p99=10ms`, or `onnxruntime-run:p99=10ms` for one row.

    Raises:
        LinregError: the text is malformed.
    """
    row, _, rest = text.rpartition(":")
    found = re.fullmatch(r"(p[\d.]+)=(\d+(?:\.\d+)?)([a-zµ]+)", rest)
    if found is None or found[1] not in TAIL_COUNTS or found[3] not in UNITS_S or float(found[2]) == 0:
        raise LinregError(
            f"got {text!r}, expected a percentile and a time such as p99=10ms or onnxruntime-run:p99=10ms; percentiles "
            f"are {', '.join(TAIL_COUNTS)}, units {', '.join(UNITS_S)}"
        )
    return Budget(text=text, row=row, percentile=found[1], limit_s=float(found[2]) * UNITS_S[found[3]])


def tails(budgets: Iterable[Budget], names: Iterable[str], processes: int) -> dict[str, tuple[int, float]]:
    """Return how many calls of each row a process must time one by one, and the seconds that they may take.

    Rows without a budget are left out. A row whose calls take longer than the seconds allow exceeds its budget.

    Args:
        budgets: the limits.
        names: names of the rows.
        processes: the fewest processes that will run.
    """
    found: dict[str, tuple[int, float]] = {}
    for budget in budgets:
        calls = math.ceil(budget.calls / processes)
        for name in names if not budget.row else (budget.row,):
            most_calls, most_s = found.get(name, (0, 0.0))
            found[name] = max(most_calls, calls), max(most_s, calls * budget.limit_s)
    return found


def check_budget_rows(budgets: Iterable[Budget], names: Collection[str]) -> None:
    """Check that the rows of budgets are among those with these names.

    Raises:
        LinregError: a budget names another row.
    """
    for budget in budgets:
        if budget.row and budget.row not in names:
            raise LinregError(
                f"--budget {budget.text}: {budget.row!r} is not timed on the CPU, expected one of {', '.join(names)}"
            )
