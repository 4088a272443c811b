"""The median of paired log-ratios, its exact interval, the mean over processes, and what may be claimed from it.

Pairing cancels drift: the log-ratios of blocks in one round have no autocorrelation even where the latencies have much.
So the interval between two order statistics is exact for their median, whatever their distribution (David and Nagaraja,
Order Statistics, section 7.1), and needs no bootstrap. Processes are independent draws of the memory's layout: over
them the mean of the medians has Student's interval. Of ten processes or more the highest and the lowest tenth are left
out of the mean: in three of sixty processes one row took 16 to 27 % longer than in the others, which alone makes an
interval 4 % wide.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray
from scipy.stats import binom
from scipy.stats import t as student

CLAIM_MARGIN = 0.01
"""The smallest difference that is claimed."""

TRIMMED = 0.1
"""Of the processes, at each end of their order."""

EQUIVALENCE_MARGIN = 0.02
"""Two variants whose interval lies within this are called equivalent."""


class Verdict(StrEnum):
    """What an interval allows to say."""

    SLOWER = "slower"
    FASTER = "faster"
    EQUIVALENT = "equivalent"
    INCONCLUSIVE = "inconclusive"


@dataclass(frozen=True, kw_only=True)
class Ratio:
    """Time of a variant over that of the reference, with its 95 % interval."""

    estimate: float
    low: float
    high: float

    @property
    def half_width(self) -> float:
        """Half of the interval, as a part of the estimate."""
        return (self.high - self.low) / (2 * self.estimate)


def median_interval(values: NDArray[np.float64], confidence: float = 0.95) -> tuple[float, float, float]:
    """Median of `values` and the narrowest symmetric pair of order statistics that covers it with `confidence`.

    With too few values for that confidence (5 or less for 95 %) the interval is the whole line.
    """
    ordered = np.sort(values)
    count = len(ordered)
    # P(the median lies between the order statistics r and count + 1 - r) = 1 - 2 P(Binomial(count, 1/2) < r)
    missed = 2 * binom.cdf(np.arange((count + 1) // 2), count, 0.5)
    rank = int(np.count_nonzero(missed <= 1 - confidence))
    if rank == 0:
        return float(np.median(ordered)), -math.inf, math.inf
    return float(np.median(ordered)), float(ordered[rank - 1]), float(ordered[count - rank])


def paired_ratio(variant_s: NDArray[np.float64], reference_s: NDArray[np.float64], confidence: float = 0.95) -> Ratio:
    """The ratio of two series of block times of the same rounds, shape (rounds,) each."""
    estimate, low, high = median_interval(np.log(variant_s / reference_s), confidence)
    return Ratio(estimate=math.exp(estimate), low=math.exp(low), high=math.exp(high) if high < 700 else math.inf)


def over_processes(ratios: Sequence[Ratio], confidence: float = 0.95) -> Ratio:
    """The trimmed mean of the log-ratios of several processes and its interval; one process keeps its own interval."""
    if len(ratios) == 1:
        return ratios[0]
    mean, variance, freedom = _trimmed(ratios)
    return _student(mean, math.sqrt(variance), freedom, confidence)


def change(old: Sequence[Ratio], new: Sequence[Ratio], confidence: float = 0.95) -> Ratio:
    """The ratio of two ratios, each from processes of its own: Welch's interval, or Yuen's where tenths are trimmed.

    A side with one process has no spread between processes: then the interval is the whole line.
    """
    if min(len(old), len(new)) < 2:
        before, after = (float(np.mean([math.log(ratio.estimate) for ratio in side])) for side in (old, new))
        return Ratio(estimate=math.exp(after - before), low=0.0, high=math.inf)
    sides = [_trimmed(side) for side in (old, new)]
    difference = sides[1][0] - sides[0][0]
    total = sum(variance for _, variance, _ in sides)
    if total == 0:
        return Ratio(estimate=math.exp(difference), low=math.exp(difference), high=math.exp(difference))
    freedom = total**2 / sum(variance**2 / own for _, variance, own in sides)
    return _student(difference, math.sqrt(total), freedom, confidence)


def _trimmed(ratios: Sequence[Ratio]) -> tuple[float, float, int]:
    """The mean of the log-ratios without a tenth at each end, the variance of that mean, and its degrees of freedom.

    The variance is from the values of which those ends are moved to the nearest that stays (Yuen, Biometrika 61, 1974).
    Of less than ten nothing is trimmed: then all three are the usual.
    """
    logs = np.sort(np.log([ratio.estimate for ratio in ratios]))
    count, cut = len(logs), int(TRIMMED * len(logs))
    kept = logs[cut : count - cut]
    moved = logs.clip(kept[0], kept[-1])
    freedom = len(kept) - 1
    variance = float(((moved - moved.mean()) ** 2).sum()) / (len(kept) * freedom)
    return float(kept.mean()), variance, freedom


def _student(mean: float, error: float, freedom: float, confidence: float) -> Ratio:
    reach = float(student.ppf((1 + confidence) / 2, freedom)) * error
    return Ratio(estimate=math.exp(mean), low=math.exp(mean - reach), high=math.exp(mean + reach))


def verdict(ratio: Ratio, null: Ratio) -> Verdict:
    """What `ratio` allows to say; no claim, of equality neither, is smaller than twice the null row's interval."""
    noise = 2 * max(1 - null.low, null.high - 1, 0.0)
    margin = 1 + max(CLAIM_MARGIN, noise)
    equivalence = 1 + EQUIVALENCE_MARGIN
    if ratio.low > margin:
        return Verdict.SLOWER
    if ratio.high < 1 / margin:
        return Verdict.FASTER
    if noise <= EQUIVALENCE_MARGIN and 1 / equivalence <= ratio.low and ratio.high <= equivalence:
        return Verdict.EQUIVALENT
    return Verdict.INCONCLUSIVE
