"""When a process stops timing rounds: the ranks of an interval, narrow intervals, and time."""

import math

import numpy as np
import pytest
from scipy.stats import binom

from bench.worker.rounds import measure_rounds
from bench.worker.stopping import half_width, median_rank, until_narrow
from tests.call_clock import Machine


@pytest.mark.parametrize("confidence", [0.5, 0.95, 0.99])
@pytest.mark.parametrize("count", [1, 2, 5, 6, 7, 8, 9, 99, 100, 1_001, 20_000, 100_000])
def test_the_rank_is_the_largest_that_the_binomial_allows(count, confidence):
    rank = median_rank(count, confidence)
    assert rank == 0 or 2 * binom.cdf(rank - 1, count, 0.5) <= 1 - confidence
    assert rank == count // 2 or 2 * binom.cdf(rank, count, 0.5) > 1 - confidence


def test_the_half_width_is_a_fraction_of_the_ratio():
    logs = np.log(np.linspace(1.98, 2.02, 101))  # the ranks of 101 values are 41 and 61: 1.996 and 2.004
    assert half_width(np.random.default_rng(0).permutation(logs)) == pytest.approx(0.002, rel=1e-9)
    assert half_width(logs[:5]) == math.inf


def rounds_run(noise, *, target=0.01, time_s=1e9, judged=("b",), most=3_000) -> int:
    """The rounds until the rule stops, where call b takes `noise(round)` times as long as call a, and a round 1 s."""
    done = -1
    stop = until_narrow("a", judged, target=target, time_s=time_s, clock=lambda: float(done + 1))
    times: dict[str, list[tuple[int, int]]] = {"a": [], "b": [], "c": []}
    for done in range(most):
        for name, factor in (("a", 1.0), ("b", noise(done)), ("c", 1.0 + done % 2)):
            times[name].append((round(1e8 * factor), 1))
        if stop(done + 1, times):
            return done + 1
    return most


def alternating(half: float):
    """As many ratios on either side of 1: the interval reaches from one to the other."""
    return lambda done: 1 + half * (-1) ** done


@pytest.mark.parametrize(("half", "expected"), [(0.0, 99), (0.009, 99), (0.011, 3_000)])
def test_it_stops_at_the_first_look_if_the_interval_is_narrow_and_goes_on_if_not(half, expected):
    assert rounds_run(alternating(half)) == expected


def test_it_looks_at_half_as_many_rounds_again():
    noisy = np.exp(np.random.default_rng(3).normal(0, 0.05, 3_000))
    assert rounds_run(lambda done: noisy[done], target=0.02) == 99
    assert rounds_run(lambda done: noisy[done], target=0.009) == 224
    assert rounds_run(lambda done: noisy[done], target=0.007) == 336


def test_every_row_must_be_narrow_but_those_that_are_not_judged():
    assert rounds_run(alternating(0.0), judged=("b", "c")) == 3_000
    assert rounds_run(alternating(0.0), judged=()) == 99


@pytest.mark.parametrize(("time_s", "expected"), [(0.0, 6), (3.0, 6), (7.0, 7), (50.0, 50), (500.0, 500)])
def test_it_stops_when_the_time_is_up_once_there_is_an_interval(time_s, expected):
    assert rounds_run(alternating(0.5), time_s=time_s) == expected


def test_rounds_end_when_the_rule_says_so():
    machine, seen = Machine(), []

    def stop(done, nanoseconds) -> bool:
        seen.append((done, {name: len(blocks) for name, blocks in nanoseconds.items()}))
        return done == 3

    calls = {name: machine.call(name, 10_000) for name in "ab"}
    blocks = measure_rounds(calls, rounds=7, seed=0, timer=machine.timer, stop=stop)
    assert seen == [(done, {"a": done, "b": done}) for done in (1, 2, 3)]
    assert [len(blocks[name].block_s) for name in "ab"] == [3, 3]
    blocks = measure_rounds(calls, rounds=2, seed=0, timer=machine.timer, stop=stop)
    assert len(blocks["a"].block_s) == 2


def test_blocks_of_given_sizes_are_not_calibrated():
    machine = Machine()
    calls = {name: machine.call(name, 1_000) for name in "ab"}
    blocks = measure_rounds(calls, rounds=4, seed=0, timer=machine.timer, block_calls={"a": 100, "b": 103})
    assert (blocks["a"].calls, blocks["b"].calls) == (100, 103)
    np.testing.assert_allclose(blocks["b"].block_s, 103e-6, rtol=1e-12)
    assert len(machine.log) == 4 * (8 + 100 + 8 + 103)
