"""Check on this machine that the harness claims no false difference, and which difference it finds.

The check passes or fails on the first alone. How small a difference can be found depends on how busy the machine is,
and is reported as the resolution. A planted slowdown is known exactly: blocks of 101 and of 103 calls are timed beside
blocks of 100 calls of about 1 us, which are as long as every block of the protocol.
"""

import math
import time
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import asdict, dataclass
from functools import partial
from itertools import count
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray
from scipy.stats import norm

from bench.analysis.statistics import CLAIM_MARGIN, Ratio, paired_ratio, smallest_found
from bench.worker.rounds import calibrate, garbage_collector_off, host_timer, measure_rounds
from bench.worker.stopping import until_narrow
from export.runners.base import Call, Runner
from linreg.config import BENCH_DEFAULTS, MOST_ROUNDS

RUNS = 200
PLANTED_RUNS = 100
COPIES = 20
ROUNDS = 100
PLANTED = {"plain": 100, "1 %": 101, "3 %": 103}
"""Calls in a block, by name; all durations are divided by 100 calls."""

PAIR_S = 2.0
PAIRS = 10
"""How long one call is timed against itself to find the resolution, and how often."""

ALL_RUNS = RUNS + 4 * COPIES + PLANTED_RUNS + PAIRS + BENCH_DEFAULTS.processes

FEWEST_EXCLUDED, MOST_EXCLUDED = 0.005, 0.09
"""Of 200 intervals of 95 %, 1 to 18 exclude the true value on 399 of 400 machines without a fault."""

Benchmark = Callable[[Callable[[int], None]], Sequence[Ratio]]
"""Runs the default benchmark, calls its argument with the number of processes completed, and returns the ratio of the
reference's copy in each process."""

Result = TypeVar("Result")


@dataclass(frozen=True, kw_only=True)
class Resolution:
    """The smallest difference that is found in 95 % of runs, here and now, as a fraction.

    Attributes:
        after_2_s: between two calls timed in one process for two seconds.
        after_10_s: the same for ten seconds.
        benchmark: between the reference and its copy in a benchmark with the default settings. A row whose speed
            depends on each process's layout of memory, as ONNX Runtime's does, needs more: its interval shows it.
    """

    after_2_s: float
    after_10_s: float
    benchmark: float


@dataclass(frozen=True, kw_only=True)
class SelfCheck:
    """The figures of a self-check.

    Attributes:
        runs: number of runs of one call against itself (A/A runs).
        excluded: fraction of the A/A runs whose 95 % interval excludes 1.
        beyond_margin: number of A/A runs that claim a difference of more than 1 %.
        spread: standard deviation of the log-ratios of the A/A runs.
        copies_spread: standard deviation of the log-ratios of runs of two fresh copies of the model.
        found_1_percent: fraction of the runs with a planted slowdown of 1 % that found it, in 100 rounds.
        found_3_percent: the same for a planted slowdown of 3 %.
        bias: relative error of the mean measured slowdown if 3 % is planted.
        order_bias: shift of the log-ratio of one call against itself if the order is not shuffled.
        neighbour: shift of the log-ratio of two copies when a third, busier variant runs in the same rounds.
        resolution: the smallest difference that is found.
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
    resolution: Resolution
    duration_s: float

    @property
    def failures(self) -> list[str]:
        """Sentences on the figures that are not as expected; empty if the harness can be trusted on this machine."""
        found = []
        if not FEWEST_EXCLUDED <= self.excluded <= MOST_EXCLUDED:
            found.append(
                f"{self.excluded * 100:.1f} % of A/A intervals exclude 1, expected {FEWEST_EXCLUDED * 100:.1f} % to "
                f"{MOST_EXCLUDED * 100:.0f} %"
            )
        if self.beyond_margin:
            found.append(f"{self.beyond_margin} A/A runs claim more than {CLAIM_MARGIN * 100:.0f} %, expected none")
        if abs(self.order_bias) > CLAIM_MARGIN or abs(self.neighbour) > CLAIM_MARGIN:
            found.append(
                f"order moves a ratio by {self.order_bias * 100:+.2f} % and a neighbour by "
                f"{self.neighbour * 100:+.2f} %, expected less than {CLAIM_MARGIN * 100:.0f} %"
            )
        return found


def self_check(
    build: Callable[[], Runner],
    neighbour: Callable[[], Runner],
    inputs: tuple[Any, ...],
    benchmark: Benchmark,
    progress: Callable[[int], None] | None = None,
) -> SelfCheck:
    """Run the self-check in this process, and return its figures.

    Args:
        build: makes a new runner on each call; a runner is timed against itself, and against another one.
        neighbour: makes another, busier runner.
        inputs: one array per input.
        benchmark: runs the default benchmark of the same model.
        progress: called with the number of runs and processes completed, of `ALL_RUNS`.
    """
    start = time.perf_counter()
    done = count(1)

    def advance() -> None:
        if progress is not None:
            progress(next(done))

    def step(result: Result) -> Result:
        advance()
        return result

    call = build().bind(inputs)
    with garbage_collector_off():
        same = [step(_pair(call, call, seed)) for seed in range(RUNS)]
        copies = [step(_pair(build().bind(inputs), build().bind(inputs), seed)) for seed in range(COPIES)]
        fixed = [step(_pair(call, call, None)) for _ in range(COPIES)]
        first, second, busy = build().bind(inputs), build().bind(inputs), neighbour().bind(inputs)
        alone = [step(_pair(first, second, seed)) for seed in range(COPIES)]
        beside = [step(_pair(first, second, seed, busy)) for seed in range(COPIES)]
        quick = quick_call()
        planted = [step(_planted(quick, seed)) for seed in range(PLANTED_RUNS)]
        long = [step(_long_pair(call, seed)) for seed in range(PAIRS)]
    ratios = benchmark(lambda _completed: advance())
    after_2_s = found_in_pairs(long)
    return SelfCheck(
        runs=RUNS,
        excluded=float(np.mean([ratio.low > 1 or ratio.high < 1 for ratio in same])),
        beyond_margin=sum(ratio.low > 1 + CLAIM_MARGIN or ratio.high < 1 / (1 + CLAIM_MARGIN) for ratio in same),
        spread=float(_logs(same).std(ddof=1)),
        copies_spread=float(_logs(copies).std(ddof=1)),
        found_1_percent=float(np.mean([ratios["1 %"].low > 1 for ratios in planted])),
        found_3_percent=float(np.mean([ratios["3 %"].low > 1 for ratios in planted])),
        bias=float(_logs([ratios["3 %"] for ratios in planted]).mean()) / math.log(1.03) - 1,
        order_bias=float(np.median(_logs(fixed)) - np.median(_logs(same))),
        neighbour=float(np.median(_logs(beside)) - np.median(_logs(alone))),
        resolution=Resolution(
            after_2_s=after_2_s,
            after_10_s=math.expm1(math.log1p(after_2_s) / math.sqrt(5)),  # five times as many independent rounds
            benchmark=smallest_found(ratios),
        ),
        duration_s=time.perf_counter() - start,
    )


def quick_call() -> Call:
    """Return a call of about 1 us on this machine, of which 100 fill a block."""
    timer, size = host_timer(time.perf_counter_ns), 10
    while True:
        call = Call(run=partial(sum, tuple(range(size))), outputs=lambda: (), context=nullcontext)
        if calibrate(call, timer)[0] <= PLANTED["plain"]:
            return call
        size += max(size // 10, 1)


def found_in_pairs(ratios: Sequence[Ratio]) -> float:
    """Return the difference that 95 % of such runs find, from the ratios of runs without any difference.

    A difference is found if the interval excludes 1, that is, if it is larger than the interval's reach from 1 without
    that difference. So it is the 95th percentile of that reach, which is close to normal over runs.
    """
    reaches = np.log([[1 / ratio.low, ratio.high] for ratio in ratios]).ravel()
    return math.expm1(reaches.mean() + float(norm.ppf(0.95)) * reaches.std(ddof=1))


def _pair(one: Call, other: Call, seed: int | None, *more: Call) -> Ratio:
    """Measure the ratio of two calls in paired rounds; any further calls are timed in the same rounds."""
    calls = {"one": one, "other": other, **{f"beside {place}": call for place, call in enumerate(more)}}
    blocks = measure_rounds(calls, rounds=ROUNDS, seed=seed)
    return paired_ratio(blocks["other"].call_s, blocks["one"].call_s)


def _planted(call: Call, seed: int) -> dict[str, Ratio]:
    """Measure the ratio of a call to itself when its block has 1 % or 3 % more calls, by name."""
    blocks = measure_rounds(dict.fromkeys(PLANTED, call), rounds=ROUNDS, seed=seed, block_calls=PLANTED)
    plain = blocks.pop("plain")
    return {name: paired_ratio(series.block_s, plain.block_s) for name, series in blocks.items()}


def _long_pair(call: Call, seed: int) -> Ratio:
    """Measure the ratio of a call to itself for `PAIR_S` seconds."""
    time_is_up = until_narrow("one", ("other",), target=0.0, time_s=PAIR_S)
    blocks = measure_rounds({"one": call, "other": call}, rounds=MOST_ROUNDS, seed=seed, stop=time_is_up)
    return paired_ratio(blocks["other"].call_s, blocks["one"].call_s)


def _logs(ratios: list[Ratio]) -> NDArray[np.float64]:
    return np.log([ratio.estimate for ratio in ratios])


def describe(check: SelfCheck) -> dict[str, Any]:
    """Return the self-check as JSON values."""
    return {**asdict(check), "passed": not check.failures, "failures": check.failures}
