"""Blocks, their calibration and their warm-in, on a clock that only calls move."""

import numpy as np
import pytest

from bench.worker.rounds import calibrate, measure_rounds, time_block
from tests.call_clock import MILLISECOND, TARGET, Machine


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
