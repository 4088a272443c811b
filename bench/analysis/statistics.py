"""Estimate ratios with their intervals, within a process and over processes, and decide what an interval supports.

Pairing cancels drift: the log-ratios of blocks in one round are not autocorrelated, even if the latencies are.
So the interval between two order statistics is exact for their median, whatever their distribution (David and Nagaraja,
Order Statistics, section 7.1), and needs no bootstrap. Each process draws its memory layout independently, so Student's
t gives an interval for the mean of the processes' medians. With ten processes or more, the highest and the lowest tenth
are trimmed from the mean. This is needed because in three of sixty processes one row took 16 to 27 % longer than in the
others; one such process is enough to make an interval 4 % wide.
"""

import math
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray
from scipy.stats import t as student
from scipy.stats import trim_mean, ttest_ind

from bench.protocol import TRIMMED
from bench.worker.stopping import median_rank

CLAIM_MARGIN = 0.01
"""The smallest difference that a verdict claims."""

EQUIVALENCE_MARGIN = 0.02
"""Two variants are equivalent if the interval of their ratio lies within this of 1."""


class Verdict(StrEnum):
    """The conclusion that an interval supports."""

    SLOWER = "slower"
    FASTER = "faster"
    EQUIVALENT = "equivalent"
    INCONCLUSIVE = "inconclusive"


@dataclass(frozen=True, kw_only=True)
class Ratio:
    """Time of a variant divided by the time of the reference, with its 95 % interval."""

    estimate: float
    low: float
    high: float

    @property
    def half_width(self) -> float:
        """Half the width of the interval, as a fraction of the estimate."""
        return (self.high - self.low) / (2 * self.estimate)


def median_interval(values: NDArray[np.float64], confidence: float = 0.95) -> tuple[float, float, float]:
    """Return the sample median, and the low and high end of an interval that covers the true median.

    The ends are the narrowest symmetric pair of order statistics that covers it with `confidence`. If there are too few
    values (5 or fewer for 95 %), the interval is the whole line.
    """
    ordered = np.sort(values)
    count, rank = len(ordered), median_rank(len(ordered), confidence)
    if rank == 0:
        return float(np.median(ordered)), -math.inf, math.inf
    return float(np.median(ordered)), float(ordered[rank - 1]), float(ordered[count - rank])


def paired_ratio(variant_s: NDArray[np.float64], reference_s: NDArray[np.float64], confidence: float = 0.95) -> Ratio:
    """Return the median ratio of two series of times from the same rounds, of shape (rounds,), with its interval."""
    estimate, low, high = median_interval(np.log(variant_s / reference_s), confidence)
    return Ratio(estimate=math.exp(estimate), low=math.exp(low), high=math.exp(high) if high < 700 else math.inf)


def over_processes(ratios: Sequence[Ratio], confidence: float = 0.95) -> Ratio:
    """Combine the ratios of several processes by the trimmed mean of their logarithms; one process keeps its interval.

    The variance of that mean comes from the winsorised log-ratios, in which each trimmed value is replaced by the
    nearest one kept (Yuen, Biometrika 61, 1974). Below ten processes nothing is trimmed, and the interval is Student's.
    """
    if len(ratios) == 1:
        return ratios[0]
    logs = np.sort(np.log([ratio.estimate for ratio in ratios]))
    cut = int(TRIMMED * len(logs))
    kept = logs[cut : len(logs) - cut]
    winsorised = logs.clip(kept[0], kept[-1])
    mean, freedom = float(kept.mean()), len(kept) - 1
    error = math.sqrt(((winsorised - winsorised.mean()) ** 2).sum() / (len(kept) * freedom))
    reach = float(student.ppf((1 + confidence) / 2, freedom)) * error
    return Ratio(estimate=math.exp(mean), low=math.exp(mean - reach), high=math.exp(mean + reach))


def smallest_found(ratios: Sequence[Ratio], power: float = 0.95) -> float:
    """Return the smallest difference that the interval over as many processes excludes 1 for, in `power` of benchmarks.

    The interval reaches t(97.5 %) standard errors to either side. Its lower end passes 1 in 95 % of benchmarks if the
    ratio is another t(95 %) standard errors away.
    """
    whole, freedom = over_processes(ratios), len(ratios) - 2 * int(TRIMMED * len(ratios)) - 1
    reach = math.log(whole.high / whole.low) / 2
    return math.expm1(reach * (1 + float(student.ppf(power, freedom) / student.ppf(0.975, freedom))))


def change(old: Sequence[Ratio], new: Sequence[Ratio], confidence: float = 0.95) -> Ratio:
    """Return the new ratio over the old one, with Yuen's interval (Welch's if there are fewer than ten processes).

    If either side has only one process, the spread between processes is unknown, so the interval is 0 to infinity.
    """
    before, after = (np.log([ratio.estimate for ratio in side]) for side in (old, new))
    if min(len(before), len(after)) < 2:
        return Ratio(estimate=math.exp(after.mean() - before.mean()), low=0.0, high=math.inf)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # processes that agree to the bit have no spread
        interval = ttest_ind(after, before, equal_var=False, trim=TRIMMED).confidence_interval(confidence)
    estimate = math.exp(trim_mean(after, TRIMMED) - trim_mean(before, TRIMMED))
    return Ratio(estimate=estimate, low=math.exp(interval.low), high=math.exp(interval.high))


def verdict(ratio: Ratio, null: Ratio, *, claim: float = CLAIM_MARGIN) -> Verdict:
    """Return the conclusion that `ratio` supports.

    A variant is slower or faster only if its whole interval differs from 1 by more than `claim`, and by more than twice
    the distance that the interval of the null row reaches from 1.
    """
    noise = 2 * max(1 - null.low, null.high - 1, 0.0)
    margin = 1 + max(claim, noise)
    equivalence = 1 + EQUIVALENCE_MARGIN
    if ratio.low > margin:
        return Verdict.SLOWER
    if ratio.high < 1 / margin:
        return Verdict.FASTER
    if noise <= EQUIVALENCE_MARGIN and 1 / equivalence <= ratio.low and ratio.high <= equivalence:
        return Verdict.EQUIVALENT
    return Verdict.INCONCLUSIVE
