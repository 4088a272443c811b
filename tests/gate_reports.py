"""Reports for the tests of the gate."""

import numpy as np
import pytest

from bench.report import gate
from bench.report.gate import Change
from linreg.errors import LinregError
from tests.bench_reports import REFERENCE, comparison, parsed, report, row

LIMIT = 0.03
SPREAD = 0.0145
"""Standard deviation of a log-ratio between processes, as measured on a shared machine."""


def compare_reports(old: dict, new: dict, *, limit: float | None) -> list[Change]:
    return gate.compare_reports(parsed(old), parsed(new), limit=limit)


def slower_than_reference(value: dict, *, limit: float | None) -> list[Change]:
    return gate.slower_than_reference(parsed(value), limit=limit)


def as_values(estimate: float, low: float, high: float | None) -> dict[str, float | None]:
    return {"estimate": estimate, "low": low, "high": high}


def timed(name: str, estimates, **changes):
    """A row of so many processes, each with its ratio to the reference."""
    own = [float(estimate) for estimate in estimates]
    processes = [
        {"ratio": as_values(estimate, estimate * 0.999, estimate * 1.001), "calls_per_block": 30, "block_ns": [200_000]}
        for estimate in own
    ]
    return row(name, float(np.exp(np.log(own).mean())), **{"processes": processes, **changes})


def reference(name: str = REFERENCE, count: int = 10):
    return row(name, processes=[{"ratio": None, "calls_per_block": 30, "block_ns": [200_000]}] * count)


def made(*rows, batch: int = 1, device: str = "cpu", threads: int = 1, **changes):
    """A report of one comparison."""
    return report(comparison([reference(), *rows], batch, threads, device), **changes)


def spread(mean: float, width: float = 0.001, count: int = 10) -> np.ndarray:
    """Estimates whose logarithms have exactly this mean and about this spread."""
    return mean * np.exp(width * np.linspace(-1.5, 1.5, count))


def judge(before: float, after: float, *, width: float = 0.001, limit: float | None = LIMIT):
    (found,) = compare_reports(
        made(timed("a", spread(before, width))), made(timed("a", spread(after, width))), limit=limit
    )
    return found


# ---- what is refused -------------------------------------------------------------------------------------------------


def refused(old, new) -> str:
    with pytest.raises(LinregError) as caught:
        compare_reports(old, new, limit=LIMIT)
    message = str(caught.value)
    assert message.startswith("--compare: ")
    assert message.isprintable()
    return message
