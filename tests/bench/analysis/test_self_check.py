"""The self-check finds planted differences, on a clock that only calls move, and each threshold decides alone."""

import json
import math
import time
from contextlib import nullcontext
from dataclasses import asdict, astuple, replace
from types import SimpleNamespace

import numpy as np
import pytest

from bench.analysis import self_check as selfcheck
from bench.analysis.self_check import Resolution, SelfCheck, describe, self_check
from bench.analysis.statistics import Ratio, smallest_found
from bench.worker import rounds
from export.runners.base import Call, Runner

GOOD = SelfCheck(
    runs=200,
    excluded=0.045,
    beyond_margin=0,
    spread=0.0003,
    copies_spread=0.004,
    found_1_percent=0.99,
    found_3_percent=1.0,
    bias=-0.002,
    order_bias=0.001,
    neighbour=-0.002,
    resolution=Resolution(after_2_s=0.0012, after_10_s=0.0006, benchmark=0.004),
    duration_s=60.0,
)


# ---- pass or fail ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"excluded": 0.005}, None),
        ({"excluded": 0.09}, None),
        ({"excluded": 0.0}, "0.0 % of A/A intervals exclude 1, expected 0.5 % to 9 %"),
        ({"excluded": 0.0049}, "0.5 % of A/A intervals"),
        ({"excluded": 0.095}, "9.5 % of A/A intervals exclude 1"),
        ({"beyond_margin": 1}, "1 A/A runs claim more than 1 %, expected none"),
        ({"order_bias": 0.01}, None),
        ({"order_bias": 0.0101}, "order moves a ratio by +1.01 %"),
        ({"order_bias": -0.02}, "order moves a ratio by -2.00 %"),
        ({"neighbour": 0.01}, None),
        ({"neighbour": 0.011}, "a neighbour by +1.10 %"),
        ({"neighbour": -0.011}, "a neighbour by -1.10 %"),
        # What is shown, and decides nothing: it is of the machine, not of the harness.
        ({"spread": 0.5, "copies_spread": 0.5, "bias": 0.5, "duration_s": 1e6}, None),
        ({"found_1_percent": 0.0, "found_3_percent": 0.0}, None),
        ({"resolution": Resolution(after_2_s=0.2, after_10_s=0.1, benchmark=math.inf)}, None),
    ],
    ids=str,
)
def test_each_threshold_alone_decides(change, said):
    failures = replace(GOOD, **change).failures
    assert len(failures) == (said is not None)
    assert said is None or said in failures[0]


def test_every_failure_is_told():
    bad = replace(GOOD, excluded=0.5, beyond_margin=3, neighbour=0.3)
    assert len(bad.failures) == 3


@pytest.mark.parametrize("check", [GOOD, replace(GOOD, beyond_margin=2)], ids=["passed", "failed"])
def test_it_is_described_as_json(check):
    described = describe(check)
    assert json.loads(json.dumps(described, allow_nan=False)) == described
    assert described["passed"] is (check is GOOD)
    assert described["failures"] == check.failures
    assert {name: described[name] for name in SelfCheck.__dataclass_fields__} == asdict(check)


# ---- on a clock that only our calls move -----------------------------------------------------------------------------


class Machine:
    """A clock, and runners whose calls take a known time on it.

    Attributes:
        now: in nanoseconds.
        blocks: how many were timed.
        built: how many runners were made.
        busy: whether the neighbour has run.
        cost: of a call, from this machine and the number of the runner.
    """

    def __init__(self, cost=lambda _machine, _number: 10_000) -> None:
        self.now = self.readings = self.built = self.since = 0
        self.busy = False
        self.cost = cost
        self.last: object = None

    @property
    def blocks(self) -> int:
        return self.readings // 2

    def clock(self) -> int:
        self.readings += 1
        return self.now

    def build(self) -> Runner:
        self.built += 1
        return self.runner(self.built)

    def neighbour(self) -> Runner:
        return self.runner(0)

    def runner(self, number: int) -> Runner:
        def run() -> None:
            self.busy = self.busy or number == 0
            self.since = self.since + 1 if self.last == number else 1
            self.last = number
            self.now += int(self.cost(self, number))

        call = Call(run=run, outputs=lambda: (), context=nullcontext)
        return Runner(name=str(number), bind=lambda _inputs: call, parameters=dict)


@pytest.fixture
def small(monkeypatch):
    """Few runs of few rounds; returns how many runs those are, and the processes of the benchmark."""
    sizes = {"RUNS": 12, "COPIES": 5, "PLANTED_RUNS": 4, "ROUNDS": 20, "PAIRS": 3}
    for name, value in sizes.items():
        monkeypatch.setattr(selfcheck, name, value)
    return 12 + 4 * 5 + 4 + 3 + 2


def equal_processes(progress):
    """A benchmark of two processes whose ratios agree to the bit."""
    for done in (1, 2):
        progress(done)
    return [Ratio(estimate=1.01, low=1.0, high=1.02)] * 2


def checked(monkeypatch, machine: Machine, progress=None, benchmark=equal_processes) -> SelfCheck:
    quick = machine.build().bind(())
    machine.built = 0
    monkeypatch.setattr(selfcheck, "quick_call", lambda: quick)
    monkeypatch.setattr(selfcheck, "until_narrow", lambda *_words, **_more: lambda done, _blocks: done == 20)
    for module in (rounds, selfcheck):
        monkeypatch.setattr(
            module, "time", SimpleNamespace(perf_counter_ns=machine.clock, perf_counter=lambda: machine.now * 1e-9)
        )
    return self_check(machine.build, machine.neighbour, (), benchmark, progress)


def test_on_a_perfect_machine_everything_is_exact(monkeypatch, small):
    machine = Machine()
    check = checked(monkeypatch, machine)
    assert (check.runs, check.beyond_margin) == (12, 0)
    assert (check.excluded, check.spread, check.copies_spread) == pytest.approx((0, 0, 0), abs=1e-12)
    assert (check.order_bias, check.neighbour) == pytest.approx((0, 0), abs=1e-12)
    assert (check.found_1_percent, check.found_3_percent) == (1, 1)
    assert check.bias == pytest.approx(0, abs=1e-9)
    assert astuple(check.resolution) == pytest.approx((0, 0, 0), abs=1e-12)
    assert check.duration_s == pytest.approx(machine.now * 1e-9)
    assert machine.built == 1 + 2 * 5 + 2  # a fresh copy wherever one is spoken of


def test_progress_counts_all_runs(monkeypatch, small):
    done: list[int] = []
    checked(monkeypatch, Machine(), done.append)
    assert done == list(range(1, small + 1))
    monkeypatch.undo()
    assert selfcheck.ALL_RUNS == 200 + 4 * 20 + 100 + 10 + 10


def test_slow_first_calls_are_in_no_planted_block(monkeypatch, small):
    """The first calls after another runner's cost much more: with them the planted figures would be too small."""
    check = checked(monkeypatch, Machine(lambda machine, _number: 10_000 if machine.since > 8 else 50_000))
    assert check.bias == pytest.approx(0, abs=1e-9)
    assert check.copies_spread == pytest.approx(0, abs=1e-12)


def test_what_is_planted_is_known_exactly(monkeypatch):
    machine = Machine()
    monkeypatch.setattr(rounds, "time", SimpleNamespace(perf_counter_ns=machine.clock))
    found = selfcheck._planted(machine.build().bind(()), seed=0)
    for name, planted in (("1 %", 1.01), ("3 %", 1.03)):
        expected = pytest.approx(planted, rel=1e-12)
        assert (found[name].estimate, found[name].low, found[name].high) == (expected, expected, expected)
    assert machine.blocks == 3 * 100
    assert machine.now == 10_000 * 100 * (3 * (100 + 8) + 1 + 3)


def test_a_hundred_quick_calls_fill_a_block_of_the_protocol():
    call = selfcheck.quick_call()
    least = min(rounds.time_block(call.run, 100, time.perf_counter_ns) for _ in range(200))
    assert 0.5e5 < least < 2.5e5  # about 0.1 ms; another core of this machine may be faster or slower
    assert call.outputs() == ()


def test_copies_that_differ_are_seen_in_their_spread_only(monkeypatch, small):
    generator = np.random.default_rng(1)
    factors = generator.normal(1.0, 0.02, 30)
    check = checked(monkeypatch, Machine(lambda _machine, number: 10_000 * factors[number]))
    assert 0.01 < check.copies_spread < 0.06  # two of them: 0.028
    assert check.spread < 1e-6
    assert abs(check.neighbour) < 1e-6


def noise(generator: np.random.Generator, deviation: float):
    """Of a block's own: the same for all of its calls."""
    values: dict[int, float] = {}

    def of(machine: Machine) -> float:
        return values.setdefault(machine.readings, float(np.exp(generator.normal(0.0, deviation))))

    return of


def test_noise_that_hides_one_percent_is_reported_and_fails_nothing(monkeypatch, small):
    factor = noise(np.random.default_rng(2), 0.08)
    check = checked(monkeypatch, Machine(lambda machine, _number: 10_000 * factor(machine)))
    assert check.spread > 0.005
    assert check.found_1_percent < 0.95
    assert check.resolution.after_2_s > 0.02
    assert check.resolution.after_10_s == pytest.approx(check.resolution.after_2_s / math.sqrt(5), rel=0.1)
    assert not any("found" in failure or "planted" in failure for failure in check.failures)


def test_the_benchmark_counts_with_its_spread_over_processes(monkeypatch, small):
    processes = [Ratio(estimate=ratio, low=ratio, high=ratio) for ratio in (0.9, 1.1)]
    check = checked(monkeypatch, Machine(), benchmark=lambda _progress: processes)
    assert check.resolution.benchmark == pytest.approx(smallest_found(processes), rel=1e-12)
    assert check.resolution.benchmark > 1


def test_the_second_block_of_a_round_being_slower_is_the_bias_of_order(monkeypatch, small):
    factor = noise(np.random.default_rng(3), 0.05)
    check = checked(
        monkeypatch,
        Machine(lambda machine, _number: 10_000 * factor(machine) * (1.06 if machine.blocks % 2 else 1.0)),
    )
    assert 0.02 < abs(check.order_bias) < 0.1
    assert any("order moves a ratio" in failure for failure in check.failures)


def test_a_neighbour_that_slows_one_copy_is_seen(monkeypatch, small):
    second = 1 + 2 * 5 + 2
    check = checked(
        monkeypatch,
        Machine(lambda machine, number: 10_500 if machine.busy and number == second else 10_000),
    )
    assert check.neighbour == pytest.approx(np.log(1.05), rel=1e-9)
    assert len(check.failures) >= 1


def test_a_harness_that_favours_one_side_is_found_out(monkeypatch, small):
    """A false claim in every run: the names say who is who, so plant it there."""
    real = selfcheck.measure_rounds

    def biased_rounds(calls, **settings):
        blocks = real(calls, **settings)
        if "other" not in blocks:
            return blocks
        other = blocks["other"]
        return {**blocks, "other": replace(other, block_s=other.block_s * 1.02, host_s=other.host_s * 1.02)}

    monkeypatch.setattr(selfcheck, "measure_rounds", biased_rounds)
    check = checked(monkeypatch, Machine())
    assert (check.excluded, check.beyond_margin) == (1.0, 12)
    assert len(check.failures) == 2


# ---- for real --------------------------------------------------------------------------------------------------------


def test_a_real_run_of_a_cheap_call(small, monkeypatch):
    """Smaller than would mean anything: that it runs, and which figures it can have."""

    def build() -> Runner:
        numbers = list(range(40))
        call = Call(run=lambda: sum(numbers), outputs=lambda: (), context=nullcontext)
        return Runner(name="sum", bind=lambda _inputs: call, parameters=dict)

    done: list[int] = []
    monkeypatch.setattr(selfcheck, "PAIR_S", 0.05)
    check = self_check(build, build, (), equal_processes, done.append)
    assert done[-1] == len(done) == small
    assert check.runs == 12
    for part in (check.excluded, check.found_1_percent, check.found_3_percent):
        assert 0 <= part <= 1
    assert check.excluded * 12 == round(check.excluded * 12)
    assert 0 < check.spread < 1
    assert check.duration_s > 0
    json.dumps(describe(check), allow_nan=False)
