"""The time that the proof of one file may take, and what is left out to stay within it."""

import math
import re
import time
from collections.abc import Callable

from linreg.errors import ExportError

ALL = math.inf
LEAST_DEFAULT_S = 10.0
"""The budget of a file whose capture and export took less than this."""

_SECONDS = {"s": 1.0, "m": 60.0, "h": 3600.0}
_DURATION = re.compile(r"([0-9]{1,6}(?:\.[0-9]{1,3})?)([smh])", re.ASCII)


def parse_budget(text: str) -> float:
    """Read a budget such as `60s`, `2m`, `1.5h` or `all`.

    Returns:
        Seconds; infinity for `all`.

    Raises:
        ValueError: the text is none of these.
    """
    if text == "all":
        return ALL
    found = _DURATION.fullmatch(text)
    if found is None:
        raise ValueError(f"got {text!r}, expected a duration such as 60s or 2m, or all")
    return float(found[1]) * _SECONDS[found[2]]


def given_budget(text: str | None) -> float | None:
    """Return the budget of an argument in Python; None if it was not given.

    Raises:
        ExportError: the text is no budget.
    """
    try:
        return None if text is None else parse_budget(text)
    except ValueError as error:
        raise ExportError(f"budget: {error}") from None


def about(seconds: float) -> str:
    """A duration as an estimate: `about 12 s`, `about 40 min`, `about 3 h`."""
    for limit, unit, size in ((100.0, "s", 1.0), (6000.0, "min", 60.0)):
        if seconds < limit:
            return f"about {max(1, round(seconds / size))} {unit}"
    return f"about {round(seconds / 3600)} h"


LEAST_RATE = 0.25
"""At least this part of what a case cost is taken to grow with its number of elements."""


class Spending:
    """What the cases of a proof have cost so far, and what another would cost.

    The cost of a case is a fixed part and one that grows with the number of elements of its inputs, as seen at the
    smallest and the largest case so far. The first case does not count as soon as there are others: runtimes do more at
    their first run, and the oracle checks the module.
    """

    def __init__(self, budget_s: float, clock: Callable[[], float] = time.perf_counter) -> None:
        self._clock = clock
        self._end_s = clock() + budget_s
        self._case_start_s = 0.0
        self._first_s: dict[int, float] = {}
        self._costs_s: dict[int, float] = {}

    def start_case(self) -> None:
        """Start the clock of one case."""
        self._case_start_s = self._clock()

    def end_case(self, elements: int) -> None:
        """Record the cost of a case whose inputs have this number of elements."""
        costs_s = self._costs_s if self._first_s else self._first_s
        costs_s[elements] = max(costs_s.get(elements, 0.0), self._clock() - self._case_start_s)

    def estimate_s(self, elements: int) -> float:
        """What a case with this number of elements would cost; 0 before the first case."""
        costs_s = self._costs_s or self._first_s
        if elements in costs_s or not costs_s:
            return costs_s.get(elements, 0.0)
        small, large = min(costs_s), max(costs_s)
        each_s = costs_s[large] / max(1, large)
        if small < large:
            each_s = max(LEAST_RATE * each_s, (costs_s[large] - costs_s[small]) / (large - small))
        return max(costs_s[large] + (elements - large) * each_s, min(costs_s.values()))

    def affords(self, elements: int) -> bool:
        """Whether a case with this number of elements fits into what is left."""
        return self._clock() + self.estimate_s(elements) <= self._end_s

    def half(self) -> Callable[[], bool]:
        """Return whether half of what is left now is still not spent, as a function to be called again."""
        now_s = self._clock()
        end_s = now_s + max(0.0, self._end_s - now_s) / 2
        return lambda: self._clock() <= end_s
