"""The timing loop on a clock that only our calls move: every figure is known to the nanosecond."""

import gc
import weakref
from collections import Counter
from contextlib import contextmanager
from itertools import groupby, permutations

import numpy as np
import pytest
import torch

from bench.worker.rounds import calibrate, garbage_collector_off, host_timer, measure_rounds, time_block
from export.runners.base import Call, CallMode
from export.runners.torch import torch_runner

TARGET = 100_000
MILLISECOND = 1_000_000


class Machine:
    """A clock, and calls that take a known time on it.

    Attributes:
        now: in nanoseconds.
        timer: of blocks, on that clock.
        readings: of the clock.
        log: the name of every call that ran.
        entered: the names whose context is open, and how often each was entered.
    """

    def __init__(self, *, cold: int = 0, preempted=lambda _reading: False, tick: int = 1) -> None:
        self.now = self.readings = self.warm = 0
        self.log: list[str] = []
        self.open: list[str] = []
        self.entries: Counter[str] = Counter()
        self.cold, self.preempted, self.tick = cold, preempted, tick
        self.timer = host_timer(self.clock)

    def clock(self) -> int:
        if self.preempted(self.readings):
            self.now += 50 * MILLISECOND
        self.readings += 1
        return self.now // self.tick * self.tick

    def call(self, name: str, cost) -> Call:
        """A call of `cost` nanoseconds, or of `cost()`; the first eight after another one take `cold` more."""

        def run() -> None:
            assert self.open == [name]
            self.warm = self.warm + 1 if self.log[-1:] == [name] else 1
            self.log.append(name)
            self.now += (cost() if callable(cost) else cost) + (self.cold if self.warm <= 8 else 0)

        @contextmanager
        def context():
            self.open.append(name)
            self.entries[name] += 1
            try:
                yield
            finally:
                self.open.remove(name)

        return Call(run=run, outputs=lambda: (), context=context)


def test_a_block_is_many_calls_between_one_pair_of_readings():
    machine = Machine()
    call = machine.call("a", 7)
    with call.context():
        assert time_block(call.run, 1000, machine.clock) == 7000
    assert machine.readings == 2
    assert len(machine.log) == 1000


def test_the_hosts_timer_has_one_time_for_device_and_host():
    machine = Machine()
    call = machine.call("a", 7)
    with call.context():
        assert machine.timer(call.run, 1000) == (7000, 7000)
    assert machine.readings == 2


@pytest.mark.parametrize("cost", [2, 3, 41, 999, 4_999, 5_000, 5_001, 66_667, 99_999, 100_000, 100_001, 10**9])
def test_a_calibrated_block_has_the_target_length(cost):
    machine = Machine()
    count, _ = calibrate(machine.call("a", cost), machine.timer)
    smallest = -(-TARGET // cost)
    assert count in (smallest, smallest + 1)
    assert count == 1 or (count - 1) * cost <= TARGET
    assert machine.open == []


@pytest.mark.parametrize("target_s", [1e-6, 0.0002, 0.003])
def test_another_target_is_reached_too(target_s):
    machine = Machine()
    count, _ = calibrate(machine.call("a", 1_000), machine.timer, target_s)
    assert count - round(target_s * 1e6) in (0, 1)


@pytest.mark.parametrize("cost", [0, 1])
def test_calibration_ends_where_a_call_takes_no_time(cost):
    machine = Machine()
    assert calibrate(machine.call("a", cost), machine.timer)[0] == 100_000


def test_calibration_ends_on_a_coarse_clock():
    machine = Machine(tick=MILLISECOND)
    count, _ = calibrate(machine.call("a", 5_000), machine.timer)
    assert TARGET <= count * 5_000 <= 10 * MILLISECOND


@pytest.mark.parametrize(
    "preempted",
    [
        lambda reading: reading == 1,
        lambda reading: reading % 10 == 1,  # the first trial of each step
        lambda reading: reading % 2 == 1 and reading % 10 != 9,  # all trials of each step but the last
    ],
    ids=["first", "first-of-each-step", "four-of-five"],
)
def test_preempted_trials_do_not_end_calibration(preempted):
    quiet, busy = Machine(), Machine(preempted=preempted)
    assert calibrate(busy.call("a", 5_000), busy.timer) == calibrate(quiet.call("a", 5_000), quiet.timer)
    assert busy.now > 50 * MILLISECOND


@pytest.mark.parametrize(
    ("cost", "calls", "warm_in"),
    [
        (5_000, None, 8),
        (MILLISECOND, 8 + 5, 8),
        (5 * MILLISECOND, 8 + 5, 3),
        (10 * MILLISECOND, 2 + 5, 2),
        (50 * MILLISECOND, 2 + 5, 1),
        (100 * MILLISECOND, 2 + 2, 1),
        (3000 * MILLISECOND, 2 + 2, 1),
    ],
)
def test_a_slow_call_is_not_made_ten_times_before_it_is_timed(cost, calls, warm_in):
    machine = Machine()
    count, found = calibrate(machine.call("a", cost), machine.timer)
    assert found == warm_in
    if count == 1:
        assert len(machine.log) == calls
    measured = Machine()
    measure_rounds({"a": measured.call("a", cost)}, rounds=3, seed=0, timer=measured.timer)
    assert len(measured.log) == len(machine.log) + 3 * (count + warm_in)


def test_slow_first_calls_are_in_no_block_and_in_no_calibration():
    machine = Machine(cold=30_000)
    costs = {"a": 5_000, "b": 2_000, "c": 400_000}
    blocks = measure_rounds(
        {name: machine.call(name, cost) for name, cost in costs.items()}, rounds=40, seed=1, timer=machine.timer
    )
    for name, cost in costs.items():
        assert blocks[name].calls in (max(TARGET // cost, 1), TARGET // cost + 1)
        np.testing.assert_allclose(blocks[name].block_s, blocks[name].calls * cost * 1e-9, rtol=1e-12)
        np.testing.assert_allclose(blocks[name].call_s, cost * 1e-9, rtol=1e-12)
        np.testing.assert_array_equal(blocks[name].host_s, blocks[name].block_s)


def test_blocks_are_calibrated_by_the_device_and_kept_on_both_clocks():
    """A device that takes a tenth of the host's time, as a timer with events would see it."""
    machine = Machine()

    def timer(run, calls):
        host = machine.timer(run, calls)[1]
        return host // 10, host

    blocks = measure_rounds({"a": machine.call("a", 10_000)}, rounds=4, seed=0, timer=timer)["a"]
    assert blocks.calls in (100, 101)  # 0.1 ms of a microsecond each, on the device
    np.testing.assert_allclose(blocks.block_s, blocks.calls * 1e-6, rtol=1e-12)
    np.testing.assert_allclose(blocks.host_s, blocks.calls * 1e-5, rtol=1e-12)
    np.testing.assert_allclose(blocks.call_s, 1e-6, rtol=1e-12)


def orders_of(seed: int | None, names: str = "abc", rounds: int = 600) -> list[tuple[str, ...]]:
    """The order of the blocks in every round; a block is a run of 8 + calls calls of one name."""
    machine, ends = Machine(), []
    calls = {name: machine.call(name, 20_000) for name in names}
    blocks = measure_rounds(
        calls, rounds=rounds, seed=seed, timer=machine.timer, progress=lambda _done: ends.append(len(machine.log))
    )
    length = 8 + blocks[names[0]].calls
    starts = [ends[0] - len(names) * length, *ends[:-1]]
    orders = []
    for start, end in zip(starts, ends, strict=True):
        log = machine.log[start:end]
        assert [len(list(run)) for _, run in groupby(log)] == [length] * len(names)
        orders.append(tuple(name for name, _ in groupby(log)))
    return orders


def test_every_variant_has_one_block_in_every_round():
    orders = orders_of(11, "abcdefg", rounds=50)
    assert len(orders) == 50
    assert all(sorted(order) == list("abcdefg") for order in orders)
    assert len(set(orders)) > 45


def test_the_order_is_shuffled_evenly_and_reproducible():
    orders = orders_of(11)
    assert orders == orders_of(11)
    assert orders != orders_of(12)
    counted = Counter(orders)
    assert set(counted) == set(permutations("abc"))
    assert all(70 <= times <= 130 for times in counted.values())  # 100 expected, its deviation 9


def test_without_a_seed_every_round_has_the_order_given():
    assert orders_of(None, "bca", rounds=20) == [("b", "c", "a")] * 20
    assert orders_of(0, "bca", rounds=20) != [("b", "c", "a")] * 20


def test_blocks_stand_in_the_order_of_the_rounds():
    machine, done = Machine(), [0]
    calls = {
        "a": machine.call("a", lambda: 1_000 + 10 * done[-1]),
        "b": machine.call("b", lambda: 2_000 + 10 * done[-1]),
    }
    blocks = measure_rounds(calls, rounds=25, seed=5, timer=machine.timer, progress=done.append)
    assert done == list(range(26))
    for name, base in (("a", 1_000), ("b", 2_000)):
        assert blocks[name].block_s.shape == (25,)
        np.testing.assert_allclose(blocks[name].call_s, (base + 10 * np.arange(25)) * 1e-9, rtol=1e-12)


def test_a_context_is_entered_once_for_calibration_and_once_a_block():
    machine = Machine()
    measure_rounds({name: machine.call(name, 10_000) for name in "ab"}, rounds=7, seed=0, timer=machine.timer)
    assert machine.entries == {"a": 8, "b": 8}  # that no call runs outside of it, or in another, is checked in `run`
    assert machine.open == []


@pytest.mark.parametrize(
    ("mode", "expected"),
    [
        (CallMode.GRAD, (False, True)),
        (CallMode.NO_GRAD, (False, False)),
        (CallMode.INFERENCE_MODE, (True, False)),
        (CallMode.NO_GRAD_PER_CALL, (False, False)),
        (CallMode.INFERENCE_MODE_PER_CALL, (True, False)),
    ],
    ids=lambda value: str(value),
)
def test_the_call_mode_is_seen_from_inside_every_call(mode, expected):
    seen = []

    class Looking(torch.nn.Module):
        def forward(self, x):
            seen.append((torch.is_inference_mode_enabled(), torch.is_grad_enabled()))
            machine.now += 10_000
            return x

    machine = Machine()
    call = torch_runner("looking", Looking(), mode).bind((np.zeros((1, 1), np.float32),))
    blocks = measure_rounds({"looking": call}, rounds=3, seed=0, timer=machine.timer)
    assert len(seen) > 3 * (8 + blocks["looking"].calls)
    assert set(seen) == {expected}
    assert (torch.is_inference_mode_enabled(), torch.is_grad_enabled()) == (False, True)


@pytest.fixture(params=[True, False], ids=["gc-on", "gc-off"])
def collector(request):
    """The collector on or off before the test; whatever the test does, as it was after it."""
    was_on = gc.isenabled()
    (gc.enable if request.param else gc.disable)()
    yield request.param
    (gc.enable if was_on else gc.disable)()


def test_the_collector_is_off_while_calls_run_and_as_before_afterwards(collector):
    machine, seen = Machine(), []
    call = machine.call("a", lambda: seen.append(gc.isenabled()) or 10_000)
    measure_rounds({"a": call}, rounds=3, seed=0, timer=machine.timer)
    assert set(seen) == {False}
    assert gc.isenabled() is collector


@pytest.mark.parametrize("fails_at", [1, 9, 200], ids=["warm-in", "calibration", "block"])
def test_an_exception_leaves_collector_and_context_as_they_were(collector, fails_at):
    machine = Machine()

    def cost() -> int:
        if len(machine.log) == fails_at:
            raise KeyboardInterrupt
        return 10_000

    with pytest.raises(KeyboardInterrupt):
        measure_rounds({"a": machine.call("a", cost)}, rounds=30, seed=0, timer=machine.timer)
    assert gc.isenabled() is collector
    assert machine.open == []


@pytest.fixture
def ring():
    """Garbage that only the collector finds, which does not start by itself."""

    class Ring:
        pass

    thresholds, was_on = gc.get_threshold(), gc.isenabled()
    gc.enable()
    gc.set_threshold(0)
    ring = Ring()
    ring.itself = ring
    gone = weakref.ref(ring)
    del ring
    assert gone() is not None
    yield gone
    gc.set_threshold(*thresholds)
    (gc.enable if was_on else gc.disable)()


def test_garbage_of_before_is_collected_first(ring):
    with garbage_collector_off():
        assert ring() is None
        assert not gc.isenabled()
    assert gc.isenabled()


def test_a_collector_that_is_off_is_left_alone(ring):
    """Who switched it off wants no pause, of a collection neither: a self-check enters this a thousand times."""
    gc.disable()
    with garbage_collector_off():
        assert ring() is not None
        assert not gc.isenabled()
    assert not gc.isenabled()
    assert ring() is not None


def test_the_collector_stays_off_until_the_outermost_end():
    gc.enable()
    with garbage_collector_off():
        with garbage_collector_off():
            assert not gc.isenabled()
        assert not gc.isenabled()
    assert gc.isenabled()
