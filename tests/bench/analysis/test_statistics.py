"""The interval of a ratio within one process, and what it allows to say."""

import math
from fractions import Fraction
from itertools import product

import numpy as np
import pytest
from scipy.stats import binom

from bench.analysis.statistics import Ratio, Verdict, median_interval, paired_ratio, verdict

SIMULATIONS = 2000
ROUNDS = 100
TRUTH = 1.037


def covering_rank(count: int, confidence: Fraction) -> int:
    """The largest r whose order statistics r and count + 1 - r cover the median often enough, counted in integers."""
    below, rank = 0, 0
    for missing in range(count // 2 + 1):
        below += math.comb(count, missing)  # outcomes with at most `missing` values under the median
        if 2 * below * confidence.denominator > (confidence.denominator - confidence.numerator) * 2**count:
            return rank
        rank = missing + 1
    return rank


@pytest.mark.parametrize("confidence", ["0.5", "0.75", "0.9", "0.95", "0.99"])
def test_the_interval_is_the_narrowest_that_covers(confidence):
    generator = np.random.default_rng(1)
    for count in [*range(1, 130), 399, 1000]:
        values = generator.permutation(count).astype(float)  # the value is its own rank, less one
        estimate, low, high = median_interval(values, float(confidence))
        rank = covering_rank(count, Fraction(confidence))
        assert estimate == (count - 1) / 2
        assert (low, high) == ((rank - 1, count - rank) if rank else (-math.inf, math.inf)), count


@pytest.mark.parametrize("count", range(1, 14))
def test_enumerating_every_outcome_gives_the_same_interval(count):
    """Each value lies under or over the true median with equal chance: 2^count outcomes, none left out."""
    under = np.array(list(product([0, 1], repeat=count))).sum(axis=1)
    covered = {rank: np.mean((under >= rank) & (count - under >= rank)) for rank in range(1, (count + 1) // 2 + 1)}
    enough = [rank for rank, share in covered.items() if share >= 0.95]
    _, low, high = median_interval(np.arange(1.0, count + 1))
    assert (low, high) == ((max(enough), count + 1 - max(enough)) if enough else (-math.inf, math.inf))


@pytest.mark.parametrize("count", [6, 10, 50, 100, 400, 10_000])
def test_scipys_binomial_gives_the_interval_its_confidence(count):
    _, low, high = median_interval(np.arange(1.0, count + 1))
    assert low == count + 1 - high
    assert binom.interval(0.95, count, 0.5)[0] in (low - 1, low)  # a quantile: it may lie on either side of a step
    assert 1 - 2 * binom.cdf(low - 1, count, 0.5) >= 0.95
    assert 1 - 2 * binom.cdf(low, count, 0.5) < 0.95


@pytest.mark.parametrize("count", [1, 2, 3, 4, 5])
def test_five_values_or_less_give_the_whole_line(count):
    ratio = paired_ratio(np.full(count, 2.0), np.full(count, 4.0))
    assert ratio == Ratio(estimate=0.5, low=0.0, high=math.inf)
    assert verdict(ratio, ratio) is Verdict.INCONCLUSIVE


def test_six_values_are_enough_and_the_order_does_not_matter():
    assert median_interval(np.array([3.0, 1.0, 6.0, 2.0, 5.0, 4.0])) == (3.5, 1.0, 6.0)


def lognormal(generator: np.random.Generator, shape: tuple[int, int]) -> np.ndarray:
    return generator.lognormal(0.0, 0.05, shape)


def spikes(generator: np.random.Generator, shape: tuple[int, int]) -> np.ndarray:
    """One block in eight is interrupted for up to forty times its length; never made shorter."""
    hit = generator.random(shape) < 1 / 8
    return generator.lognormal(0.0, 0.02, shape) + np.where(hit, generator.pareto(0.8, shape).clip(max=40), 0.0)


def drift(generator: np.random.Generator, shape: tuple[int, int]) -> np.ndarray:
    """Noise of a block's own; what both blocks of a round share is added by `series`."""
    return generator.lognormal(0.0, 0.02, shape)


def series(kind, generator: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Variant and reference, shape (simulations, rounds): the true median of their ratio is TRUTH."""
    shape = (SIMULATIONS, ROUNDS)
    common = np.ones(shape)
    if kind is drift:  # a walk that forgets slowly: autocorrelation 0.98, spread 25 %
        walk, shocks = np.zeros(shape), generator.normal(0.0, 0.05, shape)
        for place in range(1, ROUNDS):
            walk[:, place] = 0.98 * walk[:, place - 1] + shocks[:, place]
        common = np.exp(walk)
    return 5e-6 * TRUTH * common * kind(generator, shape), 5e-6 * common * kind(generator, shape)


@pytest.mark.parametrize("kind", [lognormal, spikes, drift])
def test_the_interval_covers_the_known_ratio_as_often_as_it_says(kind):
    variant, reference = series(kind, np.random.default_rng(20261123))
    ratios = [paired_ratio(*pair) for pair in zip(variant, reference, strict=True)]
    estimate, low, high = (np.array([getattr(ratio, key) for ratio in ratios]) for key in ("estimate", "low", "high"))
    assert 0.94 <= np.mean((low <= TRUTH) & (high >= TRUTH)) <= 0.98
    assert np.all((low <= estimate) & (estimate <= high))
    assert np.median(estimate) == pytest.approx(TRUTH, rel=1e-3)
    assert np.median(high / low) < 1.05


def test_drift_that_both_share_changes_nothing():
    generator = np.random.default_rng(3)
    variant, reference = lognormal(generator, (2, ROUNDS))
    common = np.exp(np.cumsum(generator.normal(0.0, 0.3, ROUNDS)))
    still, moved = paired_ratio(variant, reference), paired_ratio(variant * common, reference * common)
    assert (moved.estimate, moved.low, moved.high) == pytest.approx((still.estimate, still.low, still.high), rel=1e-12)


def test_rounds_are_paired():
    times = np.geomspace(1e-6, 1e-3, ROUNDS)
    assert paired_ratio(2 * times, times) == Ratio(
        estimate=pytest.approx(2), low=pytest.approx(2), high=pytest.approx(2)
    )
    shuffled = paired_ratio(2 * times[::-1], times)
    assert shuffled.high > 2 * shuffled.low


def test_the_ratio_of_the_reference_to_the_variant_is_the_inverse():
    variant, reference = lognormal(np.random.default_rng(4), (2, ROUNDS))
    there, back = paired_ratio(variant, reference), paired_ratio(reference, variant)
    assert (back.estimate, back.low, back.high) == pytest.approx((1 / there.estimate, 1 / there.high, 1 / there.low))


def test_more_confidence_is_wider():
    variant, reference = lognormal(np.random.default_rng(5), (2, ROUNDS))
    at_95, at_99 = paired_ratio(variant, reference), paired_ratio(variant, reference, confidence=0.99)
    assert at_99.low < at_95.low < at_95.high < at_99.high


def interval(low: float, high: float) -> Ratio:
    return Ratio(estimate=(low * high) ** 0.5, low=low, high=high)


QUIET = interval(0.999, 1.001)


@pytest.mark.parametrize(
    ("low", "high", "null", "expected"),
    [
        (1.02, 1.03, QUIET, Verdict.SLOWER),
        (1.0101, 1.0102, QUIET, Verdict.SLOWER),
        (1.0099, 1.5, QUIET, Verdict.INCONCLUSIVE),
        (0.97, 0.98, QUIET, Verdict.FASTER),
        (0.9899, 0.99, QUIET, Verdict.FASTER),
        (0.5, 0.9902, QUIET, Verdict.INCONCLUSIVE),
        (0.999, 1.001, QUIET, Verdict.EQUIVALENT),
        (1.003, 1.009, QUIET, Verdict.EQUIVALENT),  # it excludes 1, yet is smaller than what is claimed
        (0.981, 1.019, QUIET, Verdict.EQUIVALENT),
        (0.979, 1.019, QUIET, Verdict.INCONCLUSIVE),
        (0.981, 1.021, QUIET, Verdict.INCONCLUSIVE),
        (0.9, 1.1, QUIET, Verdict.INCONCLUSIVE),
        # The null row's interval reaches 3 %: nothing under 6 % is claimed, not even that two are equal within 2 %.
        (1.05, 1.055, interval(0.99, 1.03), Verdict.INCONCLUSIVE),
        (1.05, 1.055, interval(0.97, 1.01), Verdict.INCONCLUSIVE),
        (1.061, 1.07, interval(0.99, 1.03), Verdict.SLOWER),
        (0.945, 0.95, interval(0.99, 1.03), Verdict.INCONCLUSIVE),
        (0.93, 0.942, interval(0.99, 1.03), Verdict.FASTER),
        (0.999, 1.001, interval(0.99, 1.03), Verdict.INCONCLUSIVE),
        (0.999, 1.001, interval(0.991, 1.009), Verdict.EQUIVALENT),
        # A null row that lies wholly on one side counts by its far end.
        (1.05, 1.055, interval(1.02, 1.03), Verdict.INCONCLUSIVE),
        (0.1, 0.2, interval(0.0, math.inf), Verdict.INCONCLUSIVE),
        (8.0, 9.0, interval(0.0, math.inf), Verdict.INCONCLUSIVE),
    ],
)
def test_what_an_interval_allows_to_say(low, high, null, expected):
    assert verdict(interval(low, high), null) is expected


def test_no_claim_is_smaller_than_twice_the_null_rows_interval():
    """Every verdict on a grid, against the rule as it is written."""
    generator = np.random.default_rng(6)
    seen = set()
    for _ in range(20_000):
        low, high = np.exp(np.sort(generator.normal(0.0, 0.05, 2) * generator.random()))
        null = interval(*np.exp(np.sort(generator.normal(0.0, 0.03, 2) * generator.random())))
        reach = max(1 - null.low, null.high - 1)
        said = verdict(interval(low, high), null)
        seen.add(said)
        if said is Verdict.SLOWER:
            assert low - 1 > max(0.01, 2 * reach)
        elif said is Verdict.FASTER:
            assert 1 / high - 1 > max(0.01, 2 * reach)
        elif said is Verdict.EQUIVALENT:
            assert max(high, 1 / low) - 1 <= 0.02
            assert 2 * reach <= 0.02
    assert seen == set(Verdict)
