"""The change of a ratio between two reports, against Yuen's formula written out in plain Python."""

import math
import random
from statistics import fmean

import pytest
from scipy.stats import t as student

from bench.analysis.statistics import Ratio, change


def yuen(before: list[float], after: list[float], confidence: float) -> tuple[float, float, float]:
    """Yuen, Biometrika 61 (1974): estimate and interval of exp(trimmed mean of logs after - that of logs before)."""
    means, variances, freedoms = [], [], []
    for side in (before, after):
        ordered = sorted(math.log(value) for value in side)
        cut = len(ordered) // 10
        kept = ordered[cut : len(ordered) - cut]
        winsorised = [kept[0]] * cut + kept + [kept[-1]] * cut
        centre = fmean(winsorised)
        means.append(fmean(kept))
        squares = math.fsum((value - centre) ** 2 for value in winsorised)
        variances.append(squares / (len(kept) * (len(kept) - 1)))
        freedoms.append(len(kept) - 1)
    freedom = sum(variances) ** 2 / sum(v**2 / f for v, f in zip(variances, freedoms, strict=True))
    reach = float(student.ppf((1 + confidence) / 2, freedom)) * math.sqrt(sum(variances))
    difference = means[1] - means[0]
    return math.exp(difference), math.exp(difference - reach), math.exp(difference + reach)


def ratios(values: list[float]) -> list[Ratio]:
    return [Ratio(estimate=value, low=value, high=value) for value in values]


@pytest.mark.parametrize("seed", range(200))
def test_a_change_is_yuens_interval_of_random_processes(seed):
    generator = random.Random(seed)
    before, after = (
        [generator.lognormvariate(centre, 0.02) * generator.choice([1, 1, 1, 1.2]) for _ in range(count)]
        for centre, count in ((-0.3, generator.randint(2, 40)), (-0.25, generator.randint(2, 40)))
    )
    confidence = generator.choice([0.5, 0.9, 0.95, 0.99])
    found = change(ratios(before), ratios(after), confidence)
    assert (found.estimate, found.low, found.high) == pytest.approx(yuen(before, after, confidence), rel=1e-10)


def test_a_side_without_spread_takes_that_of_the_other():
    before, after = [0.5] * 3, [0.7, 0.75, 0.8]
    found = change(ratios(before), ratios(after))
    assert (found.estimate, found.low, found.high) == pytest.approx(yuen(before, after, 0.95), rel=1e-9)
