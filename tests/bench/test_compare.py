"""`compare`: two callables in, ratios with intervals out, or one line that says why not."""

import doctest
import math

import numpy as np
import pytest

import bench.compare
from bench.analysis.statistics import Verdict
from bench.compare import compare
from bench.worker.rounds import Blocks
from linreg.errors import LinregError

NUMBERS = list(range(200))


def once() -> object:
    return sum(NUMBERS)


def three_times() -> object:
    sum(NUMBERS)
    sum(NUMBERS)
    return sum(NUMBERS)


def test_three_times_the_work_is_slower():
    result = compare(once, three_times, rounds=50)
    assert result.verdict is Verdict.SLOWER
    assert 2 < result.ratio.low <= result.ratio.estimate <= result.ratio.high < 4
    assert result.variant_s > 2 * result.reference_s > 0
    assert result.null.low <= result.null.estimate <= result.null.high
    assert 0.8 < result.null.estimate < 1.25
    assert result.scope == "this process only"


def test_a_third_of_the_work_is_faster():
    result = compare(three_times, once, rounds=50)
    assert result.verdict is Verdict.FASTER
    assert result.ratio.high < 0.5


@pytest.mark.parametrize("rounds", [0, 5])
def test_too_few_rounds_for_an_interval_are_refused(rounds):
    with pytest.raises(LinregError, match=f"^rounds: got {rounds}, expected at least 6"):
        compare(once, three_times, rounds=rounds)
    assert math.isfinite(compare(once, three_times, rounds=6).ratio.high)


def test_who_is_the_reference_is_not_confused(monkeypatch):
    """With the rounds of a known machine every figure is exact."""
    seen = {}

    def rounds_of(calls, *, rounds, seed, stop):
        seen.update(names=[*calls], rounds=rounds, seed=seed, stop=stop)
        noise = np.exp(np.random.default_rng(1).normal(0, 0.01, rounds))
        times = {"reference": 1e-4 * noise, "null": 1.001e-4 * noise, "variant": 1.5e-4 * noise}
        assert calls["reference"].run is calls["null"].run is once
        assert calls["variant"].run is three_times
        return {name: Blocks(calls=100, block_s=times[name], host_s=times[name]) for name in calls}

    monkeypatch.setattr(bench.compare, "measure_rounds", rounds_of)
    result = compare(once, three_times, rounds=20, seed=7)
    assert seen == {"names": ["reference", "null", "variant"], "rounds": 20, "seed": 7, "stop": None}
    assert result.ratio.estimate == pytest.approx(1.5)
    assert result.null.estimate == pytest.approx(1.001)
    assert (result.reference_s, result.variant_s) == pytest.approx((1e-6, 1.5e-6), rel=0.01)
    assert (result.ratio.low, result.ratio.high) == pytest.approx((1.5, 1.5))
    assert result.verdict is Verdict.SLOWER


def test_an_exception_of_a_callable_is_its_own():
    def broken():
        raise ZeroDivisionError("mine")

    with pytest.raises(ZeroDivisionError, match="mine"):
        compare(once, broken, rounds=6)


def test_the_example_of_the_documentation():
    found = doctest.testmod(bench.compare)
    assert (found.attempted, found.failed) == (3, 0)
