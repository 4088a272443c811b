"""Time calls in calibrated blocks and shuffled rounds; in each round, every variant has one block.

A block is 0.1 ms of calls between two clock readings, short enough to fit between two interruptions on a shared
machine. For the same total time, the shortest blocks give the narrowest ratio: in 2 s on two shared cores, its standard
deviation was 0.0115 % with blocks of 0.1 ms, 0.0187 % with 0.2 ms and 0.0293 % with 0.6 ms. A few warm-in calls before
each block are not timed, since the first calls after a switch take up to 40 % longer. The garbage collector is off.
"""

import gc
import random
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import repeat
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from bench.protocol import BLOCK_S, CALIBRATION_TRIALS, MAX_CALLS, WARM_IN_CALLS
from bench.worker.stopping import Stop

if TYPE_CHECKING:
    from export.runners.base import Call

SLOW_S, VERY_SLOW_S = 0.01, 0.1
"""Calls as slow as the first get one warm-in call; those as slow as the second are timed only twice to calibrate."""

Clock = Callable[[], int]
BlockTimer = Callable[[Callable[[], object], int], tuple[int, int]]
"""Times a number of calls; returns nanoseconds on the device and on the host."""


@dataclass(frozen=True, kw_only=True)
class Blocks:
    """The blocks of one variant.

    Attributes:
        calls: number of calls in each block.
        block_s: seconds of each block on the device, shape (rounds,), in the order of the rounds.
        host_s: seconds of each block on the host; equal to `block_s` on the CPU.
    """

    calls: int
    block_s: NDArray[np.float64]
    host_s: NDArray[np.float64]

    @property
    def call_s(self) -> NDArray[np.float64]:
        """Seconds per call, shape (rounds,)."""
        return self.block_s / self.calls


def measure_rounds(
    calls: "Mapping[str, Call]",
    *,
    rounds: int,
    seed: int | None,
    more: "Sequence[Mapping[str, Call]]" = (),
    timer: BlockTimer | None = None,
    block_calls: Mapping[str, int] | None = None,
    stop: Stop | None = None,
    progress: Callable[[int], None] | None = None,
) -> dict[str, Blocks]:
    """Time one block of every call in each round, in a new order each round.

    Args:
        calls: calls by name; each runs inside its own context.
        rounds: number of rounds, and so of blocks of each call; if `stop` is given, the largest number.
        seed: seed for shuffling the order; None keeps the order of `calls` in every round.
        more: the same calls, bound to other memory; the rounds take turns between these and `calls`, so that an unlucky
            address does not slow down every round.
        timer: function that times a block; None uses the host's clock.
        block_calls: number of calls in a block of each call, by name; None measures how many fill a block.
        stop: called after each round; returns whether it was the last.
        progress: called with the number of rounds completed.
    """
    timer = timer or host_timer(time.perf_counter_ns)
    order, bindings = list(calls), [calls, *more]
    shuffle = random.Random(seed).shuffle
    nanoseconds: dict[str, list[tuple[int, int]]] = {name: [] for name in order}
    with garbage_collector_off():
        if block_calls is None:
            sizes = {name: calibrate(call, timer) for name, call in calls.items()}
        else:
            sizes = {name: (block_calls[name], WARM_IN_CALLS) for name in calls}
        for done in range(rounds):
            if seed is not None:
                shuffle(order)
            bound = bindings[done % len(bindings)]
            for name in order:
                call = bound[name]
                with call.context():
                    count, warm_in = sizes[name]
                    for _ in repeat(None, warm_in):
                        call.run()
                    nanoseconds[name].append(timer(call.run, count))
            if progress is not None:
                progress(done + 1)
            if stop is not None and stop(done + 1, nanoseconds):
                break
    seconds = {name: np.array(pairs, dtype=np.float64).T * 1e-9 for name, pairs in nanoseconds.items()}
    return {name: Blocks(calls=sizes[name][0], block_s=seconds[name][0], host_s=seconds[name][1]) for name in calls}


def host_timer(clock: Clock) -> BlockTimer:
    """Return a timer that reads `clock` before and after a block, for calls whose work is done when they return."""

    def timer(run: Callable[[], object], calls: int) -> tuple[int, int]:
        nanoseconds = time_block(run, calls, clock)
        return nanoseconds, nanoseconds

    return timer


def time_block(run: Callable[[], object], calls: int, clock: Clock) -> int:
    """Return how many nanoseconds `calls` calls take, by one clock reading before them and one after."""
    iterations = repeat(None, calls)
    start = clock()
    for _ in iterations:
        run()
    return clock() - start


def calibrate(call: "Call", timer: BlockTimer, target_s: float = BLOCK_S) -> tuple[int, int]:
    """Return how many calls fill a block of `target_s` seconds, and how many warm-in calls to make before each block.

    Only the fastest of several trials is used, so a preempted trial cannot end the calibration early.
    """
    target_ns, count = target_s * 1e9, 1
    with call.context():
        _trials(timer, call.run, 1, most=WARM_IN_CALLS, slow_s=SLOW_S)
        while True:
            least = min(_trials(timer, call.run, count, most=CALIBRATION_TRIALS, slow_s=VERY_SLOW_S))
            if least >= target_ns or count >= MAX_CALLS:
                return count, min(WARM_IN_CALLS, 1 + int(SLOW_S * 1e9 * count / max(least, 1)))
            wanted = int(count * target_ns / least) + 1 if least > 0 else count * 10
            count = min(max(wanted, count + 1), count * 10, MAX_CALLS)


def _trials(timer: BlockTimer, run: Callable[[], object], calls: int, *, most: int, slow_s: float) -> list[int]:
    """Time up to `most` blocks of `calls` calls, and return their nanoseconds; time only two if both take `slow_s`."""
    found = [timer(run, calls)[0] for _ in range(2)]
    while len(found) < most and min(found) < slow_s * 1e9:
        found.append(timer(run, calls)[0])
    return found


@contextmanager
def garbage_collector_off() -> Iterator[None]:
    """Collect once, then switch the collector off within the block; if it is off already, leave it off."""
    if not gc.isenabled():
        yield
        return
    gc.collect()
    gc.disable()
    try:
        yield
    finally:
        gc.enable()
