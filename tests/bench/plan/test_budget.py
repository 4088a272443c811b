"""How many calls a budget needs, and how long they take."""

from dataclasses import replace

import numpy as np
import pytest

from bench.analysis.rows import percentiles
from bench.benchmark import measure
from bench.plan.budget import parse_budget, tails
from bench.plan.estimate import Work, estimate_s
from bench.plan.planning import plan_request
from bench.plan.request import Request
from bench.plan.variants import NULL
from linreg.config import BENCH_DEFAULTS, BenchSettings


@pytest.mark.parametrize("processes", [1, 2, 3])
@pytest.mark.parametrize("percentile", ["p50", "p90", "p99", "p99.9"])
def test_the_processes_make_enough_calls_for_the_percentile(percentile, processes):
    ((calls, seconds),) = tails([parse_budget(f"row:{percentile}=10ms")], ["row"], processes).values()
    assert percentile in percentiles(np.ones(calls * processes))
    assert seconds == pytest.approx(calls * 0.01)


def test_the_strictest_budget_of_a_row_counts():
    found = tails([parse_budget(text) for text in ("p50=1s", "a:p99=1ms", "b:p90=1us")], ["a", "b"], 3)
    assert found == {"a": (221, pytest.approx(4.0)), "b": (22, pytest.approx(4.0))}


def test_the_estimate_counts_the_calls():
    settings = replace(BENCH_DEFAULTS, batches=(1,), threads=(1, 2), processes=1)
    plain = Work(rows=13, call_s={1: 0.02})
    limited = [replace(plain, tails=[(100, most_s)]) for most_s in (1.0, 10.0)]
    more = [estimate_s([work], settings) - estimate_s([plain], settings) for work in limited]
    assert more == [pytest.approx(2 * 1.0), pytest.approx(2 * 100 * 0.02)]


def test_a_benchmark_makes_enough_calls_of_a_row_with_a_budget(penguins):
    settings = BenchSettings(batches=(1,), processes=1, rounds=10, single_calls=20)
    request = Request(model=penguins, settings=settings, budgets=(parse_budget("eager-grad:p99=1s"),))
    (comparison,) = [one for one in measure(request, plan_request(request)).comparisons if one.device == "cpu"]
    counts = {row.name: row.tail_calls for row in comparison.rows}
    assert counts.pop("eager-grad") == 662
    assert counts.pop(NULL) == 20
    assert set(counts.values()) == {20}
