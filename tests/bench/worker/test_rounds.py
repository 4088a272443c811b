"""Rounds on a clock that only calls move: their order, contexts, call modes and the garbage collector."""

import gc
import weakref
from collections import Counter
from itertools import groupby, permutations

import numpy as np
import pytest
import torch

from bench.worker.rounds import garbage_collector_off, measure_rounds
from export.runners.base import CallMode
from export.runners.torch import torch_runner
from tests.call_clock import Machine


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
