"""Measure the harness itself on this machine: how often it sees a difference where none is, and misses one that is.

The planted slowdowns are known exactly: a block of n calls is timed as it is, and one of n + 1 or n + 3 calls for every
hundred beside it, both divided by n.
"""

import math
import random
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from itertools import count
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bench.analysis.statistics import CLAIM_MARGIN, Ratio, paired_ratio
from bench.worker.rounds import WARM_IN_CALLS, garbage_collector_off, host_timer, measure_rounds
from export.runners.base import Call, Runner

RUNS = 200
PLANTED_RUNS = 100
COPIES = 20
ROUNDS = 100
PLANTED_ROUNDS = {1: 350, 3: 100}
"""By percent: what is smaller takes more rounds to be seen beside the machine's noise."""
CALLS = 100
"""In a block of a planted slowdown, so that 1 % is one call."""

ALL_RUNS = RUNS + 4 * COPIES + 2 * PLANTED_RUNS

FEWEST_EXCLUDED, MOST_EXCLUDED = 0.005, 0.09
"""Of 200 intervals of 95 %, 1 to 18 exclude the truth in all but one of 400 machines without a fault."""

FOUND_1_PERCENT = 0.95


@dataclass(frozen=True, kw_only=True)
class SelfCheck:
    """What the harness measured of itself.

    Attributes:
        runs: of one call against itself.
        excluded: the part of them whose 95 % interval excludes 1.
        beyond_margin: how many claimed a difference of more than 1 %.
        spread: standard deviation of the log-ratios of those runs.
        copies_spread: the same for two fresh copies of the model.
        found_1_percent: the part of the runs with 1 % planted that found it.
        found_3_percent: the same for 3 %.
        bias: of the planted 3 %: the mean of what was found over what was planted, less 1.
        order_bias: the mean log-ratio of one call against itself where the order is never shuffled.
        neighbour: the log-ratio of two copies beside a third, busier variant, less that without it.
        duration_s: of everything.
    """

    runs: int
    excluded: float
    beyond_margin: int
    spread: float
    copies_spread: float
    found_1_percent: float
    found_3_percent: float
    bias: float
    order_bias: float
    neighbour: float
    duration_s: float

    @property
    def failures(self) -> list[str]:
        """What is not as it should be; empty where the harness can be believed here."""
        found = []
        if not FEWEST_EXCLUDED <= self.excluded <= MOST_EXCLUDED:
            found.append(
                f"{self.excluded:.1%} of A/A intervals exclude 1, expected {FEWEST_EXCLUDED:.1%} to {MOST_EXCLUDED:.0%}"
            )
        if self.beyond_margin:
            found.append(f"{self.beyond_margin} A/A runs claim more than {CLAIM_MARGIN:.0%}, expected none")
        if self.found_1_percent < FOUND_1_PERCENT:
            found.append(f"1 % found in {self.found_1_percent:.0%} of runs, expected at least {FOUND_1_PERCENT:.0%}")
        if self.found_3_percent < 1:
            found.append(f"3 % found in {self.found_3_percent:.0%} of runs, expected all")
        if abs(self.order_bias) > CLAIM_MARGIN or abs(self.neighbour) > CLAIM_MARGIN:
            found.append(
                f"order moves a ratio by {self.order_bias:+.2%} and a neighbour by {self.neighbour:+.2%}, "
                f"expected less than {CLAIM_MARGIN:.0%}"
            )
        return found


def self_check(
    build: Callable[[], Runner],
    neighbour: Callable[[], Runner],
    inputs: tuple[Any, ...],
    progress: Callable[[int], None] | None = None,
) -> SelfCheck:
    """Measure the harness in this process.

    Args:
        build: makes the runner that is timed against itself, a new one each time.
        neighbour: makes another, busier one.
        inputs: one array an input.
        progress: called with the number of runs done, of `ALL_RUNS`.
    """
    start = time.perf_counter()
    done = count()

    def step(ratio: Ratio) -> Ratio:
        if progress is not None:
            progress(next(done) + 1)
        return ratio

    call = build().bind(inputs)
    with garbage_collector_off():
        same = [step(_pair(call, call, seed)) for seed in range(RUNS)]
        copies = [step(_pair(build().bind(inputs), build().bind(inputs), seed)) for seed in range(COPIES)]
        fixed = [step(_pair(call, call, None)) for _ in range(COPIES)]
        first, second, busy = build().bind(inputs), build().bind(inputs), neighbour().bind(inputs)
        alone = [step(_pair(first, second, seed)) for seed in range(COPIES)]
        beside = [step(_pair(first, second, seed, busy)) for seed in range(COPIES)]
        one = [step(_planted(call, 1, seed)) for seed in range(PLANTED_RUNS)]
        three = [step(_planted(call, 3, seed)) for seed in range(PLANTED_RUNS)]
    return SelfCheck(
        runs=RUNS,
        excluded=float(np.mean([ratio.low > 1 or ratio.high < 1 for ratio in same])),
        beyond_margin=sum(ratio.low > 1 + CLAIM_MARGIN or ratio.high < 1 / (1 + CLAIM_MARGIN) for ratio in same),
        spread=float(_logs(same).std(ddof=1)),
        copies_spread=float(_logs(copies).std(ddof=1)),
        found_1_percent=float(np.mean([ratio.low > 1 for ratio in one])),
        found_3_percent=float(np.mean([ratio.low > 1 for ratio in three])),
        bias=float(_logs(three).mean()) / math.log(1.03) - 1,
        order_bias=float(np.median(_logs(fixed)) - np.median(_logs(same))),
        neighbour=float(np.median(_logs(beside)) - np.median(_logs(alone))),
        duration_s=time.perf_counter() - start,
    )


def _pair(one: Call, other: Call, seed: int | None, *more: Call) -> Ratio:
    """The ratio of two calls in paired rounds, perhaps with others beside them."""
    calls = {"one": one, "other": other, **{f"beside {place}": call for place, call in enumerate(more)}}
    blocks = measure_rounds(calls, rounds=ROUNDS, seed=seed)
    return paired_ratio(blocks["other"].call_s, blocks["one"].call_s)


def _planted(call: Call, percent: int, seed: int) -> Ratio:
    """The ratio of one call to itself where the second block has `percent` calls in a hundred more than it counts."""
    timer, order = host_timer(time.perf_counter_ns), random.Random(seed)
    nanoseconds: dict[int, list[int]] = {0: [], percent: []}
    counts = list(nanoseconds)
    with call.context():
        for _ in range(PLANTED_ROUNDS[percent]):
            order.shuffle(counts)
            for surplus in counts:
                for _ in range(WARM_IN_CALLS):
                    call.run()
                nanoseconds[surplus].append(timer(call.run, CALLS + surplus)[0])
    return paired_ratio(np.array(nanoseconds[percent], float), np.array(nanoseconds[0], float))


def _logs(ratios: list[Ratio]) -> NDArray[np.float64]:
    return np.log([ratio.estimate for ratio in ratios])


def describe(check: SelfCheck) -> dict[str, Any]:
    """As JSON values."""
    return {**asdict(check), "passed": not check.failures, "failures": check.failures}
