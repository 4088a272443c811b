"""Decide when a process has timed enough rounds: when the ratio of every row is narrow, or its time is up.

The interval of a ratio in one process lies between two order statistics of the log-ratios of its rounds (David and
Nagaraja, Order Statistics, section 7.1). How far apart they are says little about where they are, so stopping when they
are close keeps their coverage; tests/benchmark/long/test_coverage.py simulates it. It looks only at 99 rounds, 149,
224 and so on, since each look is another chance to stop at an interval that is narrow by luck.
"""

import math
import time
from collections.abc import Callable, Collection, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from bench.protocol import FIRST_LOOK
from linreg.config import FEWEST_PAIRED_ROUNDS

NEXT_LOOK = 1.5
"""The rounds at one look, divided by those at the look before."""

Nanoseconds = Mapping[str, Sequence[tuple[int, int]]]
"""The blocks of each call so far, by name, in the order of the rounds: nanoseconds on the device and on the host."""

Stop = Callable[[int, Nanoseconds], bool]
"""Called after each round with the number of rounds and the blocks so far; returns whether to stop."""


def median_rank(count: int, confidence: float = 0.95) -> int:
    """Return the rank of the lower end of the interval of a median, counted from 1; the upper end mirrors it.

    The pair is the narrowest symmetric one that covers the true median with `confidence`. 0 if no pair does.
    """
    # P(the median lies between the order statistics r and count + 1 - r) = 1 - 2 P(Binomial(count, 1/2) < r)
    below = np.arange(1, (count + 1) // 2)
    logs = np.concatenate([[0.0], np.cumsum(np.log((count - below + 1) / below))]) - count * math.log(2)
    missed = 2 * np.cumsum(np.exp(logs))
    return int(np.count_nonzero(missed <= (1 - confidence) * (1 + 1e-9)))  # 3 values cover with 75 % exactly


def half_width(logs: NDArray[np.float64]) -> float:
    """Return half the width of the 95 % interval of the median, as a fraction of the ratio; inf with too few values."""
    rank = median_rank(len(logs))
    if rank == 0:
        return math.inf
    ordered = np.sort(logs)
    low, middle, high = ordered[rank - 1], float(np.median(ordered)), ordered[len(logs) - rank]
    return (math.exp(high - middle) - math.exp(low - middle)) / 2


def until_narrow(
    reference: str,
    judged: Collection[str],
    *,
    target: float,
    time_s: float,
    clock: Callable[[], float] = time.monotonic,
) -> Stop:
    """Return the rule that stops when every ratio is narrow enough or the time is up; the time starts now.

    Args:
        reference: name of the call that the ratios refer to.
        judged: names of the calls whose ratios count.
        target: half-width of every interval at which to stop, such as 0.01.
        time_s: seconds after which to stop in any case, once there are enough rounds for an interval.
        clock: returns seconds.
    """
    deadline, look = clock() + time_s, FIRST_LOOK

    def stop(done: int, nanoseconds: Nanoseconds) -> bool:
        nonlocal look
        if done >= FEWEST_PAIRED_ROUNDS and clock() >= deadline:
            return True
        if done < look:
            return False
        look = math.ceil(look * NEXT_LOOK)
        base = np.log(np.array(nanoseconds[reference], dtype=np.float64)[:, 0])
        others = (np.log(np.array(nanoseconds[name], dtype=np.float64)[:, 0]) for name in judged)
        return all(half_width(own - base) <= target for own in others)

    return stop
