"""Check how often the harness reports a false difference on this machine, or misses a real one.

A planted slowdown is known exactly: a block of 101 or 103 calls is timed beside a block of 100 calls, and both times
are divided by 100.
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
from bench.protocol import WARM_IN_CALLS
from bench.worker.rounds import garbage_collector_off, host_timer, measure_rounds
from export.runners.base import Call, Runner

RUNS = 200
PLANTED_RUNS = 100
COPIES = 20
ROUNDS = 100
PLANTED_ROUNDS = {1: 350, 3: 100}
"""Rounds by percent: a smaller slowdown takes more rounds to stand out from the noise."""
CALLS = 100
"""Calls in a block of a planted slowdown, so that 1 % is one call."""

ALL_RUNS = RUNS + 4 * COPIES + 2 * PLANTED_RUNS

FEWEST_EXCLUDED, MOST_EXCLUDED = 0.005, 0.09
"""Of 200 intervals of 95 %, 1 to 18 exclude the true value on 399 of 400 machines without a fault."""

FOUND_1_PERCENT = 0.95


@dataclass(frozen=True, kw_only=True)
class SelfCheck:
    """The figures of a self-check.

    Attributes:
        runs: number of runs of one call against itself (A/A runs).
        excluded: fraction of the A/A runs whose 95 % interval excludes 1.
        beyond_margin: number of A/A runs that claim a difference of more than 1 %.
        spread: standard deviation of the log-ratios of the A/A runs.
        copies_spread: standard deviation of the log-ratios of runs of two fresh copies of the model.
        found_1_percent: fraction of the runs with a planted slowdown of 1 % that found it.
        found_3_percent: the same for a planted slowdown of 3 %.
        bias: relative error of the mean measured slowdown if 3 % is planted.
        order_bias: shift of the log-ratio of one call against itself if the order is not shuffled.
        neighbour: shift of the log-ratio of two copies when a third, busier variant runs in the same rounds.
        duration_s: seconds of the whole self-check.
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
        """Sentences on the figures that are not as expected; empty if the harness can be trusted on this machine."""
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
    """Run the self-check in this process, and return its figures.

    Args:
        build: makes a new runner on each call; a runner is timed against itself, and against another one.
        neighbour: makes another, busier runner.
        inputs: one array per input.
        progress: called with the number of runs completed, of `ALL_RUNS`.
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
    """Measure the ratio of two calls in paired rounds; any further calls are timed in the same rounds."""
    calls = {"one": one, "other": other, **{f"beside {place}": call for place, call in enumerate(more)}}
    blocks = measure_rounds(calls, rounds=ROUNDS, seed=seed)
    return paired_ratio(blocks["other"].call_s, blocks["one"].call_s)


def _planted(call: Call, percent: int, seed: int) -> Ratio:
    """Measure the ratio of a call to itself when one block per round makes `percent` % more calls than counted."""
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
    """Return the self-check as JSON values."""
    return {**asdict(check), "passed": not check.failures, "failures": check.failures}
