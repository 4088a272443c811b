"""The interval over processes: Student's, the trimmed mean, and the change between two reports."""

import math
from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import trim_mean, ttest_1samp, ttest_ind
from scipy.stats.mstats import trimmed_mean_ci

from bench.analysis.statistics import Ratio, change, over_processes, paired_ratio
from linreg.config import FEWEST_PROCESSES_TO_STOP
from tests.bench.analysis.test_statistics import ROUNDS, SIMULATIONS, TRUTH

SPREAD = 0.0145
"""Standard deviation of a log-ratio between processes, as measured on a shared machine."""


def processes(generator: np.random.Generator, count: int, truth: float = 1.0, spread: float = SPREAD) -> list[Ratio]:
    """The ratios of so many processes, each with an interval that is far too narrow for their spread."""
    estimates = truth * np.exp(generator.normal(0.0, spread, count))
    return [
        Ratio(estimate=estimate, low=estimate * 0.9999, high=estimate * 1.0001) for estimate in map(float, estimates)
    ]


def logs(ratios: list[Ratio]) -> np.ndarray:
    return np.log([ratio.estimate for ratio in ratios])


@pytest.mark.parametrize("count", [2, 3, 5, 9])
@pytest.mark.parametrize("confidence", [0.5, 0.95, 0.99])
def test_over_few_processes_it_is_students_interval_of_the_logarithms(count, confidence):
    ratios = processes(np.random.default_rng(count), count, truth=0.4)
    ratio = over_processes(ratios, confidence)
    interval = ttest_1samp(logs(ratios), 0.0).confidence_interval(confidence)
    assert ratio.estimate == pytest.approx(math.prod(entry.estimate for entry in ratios) ** (1 / count), rel=1e-12)
    assert (ratio.low, ratio.high) == pytest.approx(tuple(np.exp(interval)), rel=1e-12)


@pytest.mark.parametrize("count", [10, 20, 40])
@pytest.mark.parametrize("confidence", [0.5, 0.95, 0.99])
def test_from_ten_processes_on_it_is_scipys_interval_of_the_trimmed_mean(count, confidence):
    """Scipy has the variance of Tukey and McLaughlin; that of Yuen, as in her test for two samples, is a bit more."""
    ratios = processes(np.random.default_rng(count), count, truth=0.4)
    ratio = over_processes(ratios, confidence)
    interval = np.array(trimmed_mean_ci(logs(ratios), limits=(0.1, 0.1), alpha=1 - confidence))
    kept = 0.8 * count
    yuen = math.sqrt((count - 1) * kept / (count * (kept - 1)))
    interval = interval.mean() + (interval - interval.mean()) * yuen
    assert ratio.estimate == pytest.approx(math.exp(trim_mean(logs(ratios), 0.1)), rel=1e-12)
    assert (ratio.low, ratio.high) == pytest.approx(tuple(np.exp(interval)), rel=1e-12)


def test_one_process_in_ten_that_is_far_off_moves_little():
    """As it was seen: one process in which a row took a fifth longer made the plain interval four times as wide."""
    ratios = processes(np.random.default_rng(7), 10, 6.5, spread=0.012)
    off = [*ratios[1:], replace(ratios[0], estimate=6.5 * 1.18)]
    plain = ttest_1samp(logs(off), 0.0).confidence_interval(0.95)
    assert (plain.high - plain.low) / 2 > 0.035
    assert over_processes(off).half_width < 0.02
    assert over_processes(off).estimate == pytest.approx(over_processes(ratios).estimate, rel=0.005)


def test_over_processes_95_percent_is_what_is_meant():
    ratios = processes(np.random.default_rng(8), 10)
    assert over_processes(ratios) == over_processes(ratios, 0.95) != over_processes(ratios, 0.94)


def test_one_process_keeps_its_own_interval():
    own = Ratio(estimate=1.25, low=1.125, high=1.5)
    assert over_processes([own]) == own
    whole_line = Ratio(estimate=1.0, low=0.0, high=math.inf)
    assert over_processes([whole_line]) == whole_line


def test_the_intervals_inside_of_processes_do_not_narrow_that_over_them():
    ratios = processes(np.random.default_rng(2), 10)
    wider = [Ratio(estimate=ratio.estimate, low=0.1, high=9.0) for ratio in ratios]
    assert over_processes(wider) == over_processes(ratios)


def test_processes_that_agree_to_the_bit_have_no_width():
    same = [Ratio(estimate=1.5, low=1.4, high=1.6)] * 3
    assert over_processes(same) == Ratio(estimate=pytest.approx(1.5), low=pytest.approx(1.5), high=pytest.approx(1.5))


@pytest.mark.parametrize(("before", "after"), [(2, 2), (2, 9), (2, 10), (10, 10), (10, 3), (7, 40), (25, 38)])
@pytest.mark.parametrize("confidence", [0.5, 0.95, 0.99])
def test_a_change_has_the_interval_of_welch_and_yuen(before, after, confidence):
    generator = np.random.default_rng(before * 100 + after)
    old, new = processes(generator, before, 0.7), processes(generator, after, 0.77, spread=3 * SPREAD)
    test = ttest_ind(logs(new), logs(old), equal_var=False, trim=0.1)
    ratio = change(old, new, confidence)
    assert ratio.estimate == pytest.approx(math.exp(trim_mean(logs(new), 0.1) - trim_mean(logs(old), 0.1)), rel=1e-12)
    assert (ratio.low, ratio.high) == pytest.approx(tuple(np.exp(test.confidence_interval(confidence))), rel=1e-12)
    back = change(new, old, confidence)
    assert (back.low, back.high) == pytest.approx((1 / ratio.high, 1 / ratio.low), rel=1e-12)


def test_a_change_without_any_spread_is_a_point():
    old, new = ([Ratio(estimate=value, low=value, high=value)] * 3 for value in (0.5, 0.75))
    assert change(old, new) == Ratio(estimate=pytest.approx(1.5), low=pytest.approx(1.5), high=pytest.approx(1.5))


@pytest.mark.parametrize(("before", "after"), [(1, 10), (10, 1), (1, 1)])
def test_a_change_of_a_side_with_one_process_is_the_whole_line(before, after):
    """Its own narrow interval says nothing about another process."""
    generator = np.random.default_rng(4)
    old, new = processes(generator, before, 1.0), processes(generator, after, 1.5)
    expected = math.exp(logs(new).mean() - logs(old).mean())
    assert change(old, new) == Ratio(estimate=pytest.approx(expected), low=0.0, high=math.inf)


@pytest.mark.parametrize(
    ("low", "high", "expected"),
    [(0.9, 1.1, 0.1), (1.0, 1.0, 0.0), (1.0, 1.02, 0.01 / 1.0), (0.0, math.inf, math.inf)],
)
def test_half_of_a_width(low, high, expected):
    assert Ratio(estimate=1.0, low=low, high=high).half_width == pytest.approx(expected)
    assert Ratio(estimate=4.0, low=4 * low, high=4 * high).half_width == pytest.approx(expected)  # a part of it


@pytest.mark.parametrize("count", [2, 5, 10])
def test_students_interval_covers_the_known_ratio_as_often_as_it_says(count):
    generator = np.random.default_rng(20261124)
    ratios = [over_processes(processes(generator, count, TRUTH)) for _ in range(SIMULATIONS)]
    covered = np.mean([ratio.low <= TRUTH <= ratio.high for ratio in ratios])
    assert 0.94 <= covered <= 0.98
    if count == 10:  # 1.45 % between processes, ten of them; trimming costs a twentieth
        assert np.median([ratio.half_width for ratio in ratios]) == pytest.approx(1.05 * 0.0101, rel=0.05)


def test_over_whole_processes_the_interval_covers_where_one_process_does_not():
    """Rounds in processes, each of which is off by its layout: the interval of one says nothing of another."""
    generator = np.random.default_rng(20261125)
    shape = (200, 10, ROUNDS)
    layout = np.exp(generator.normal(0.0, SPREAD, (*shape[:2], 1)))
    variant = TRUTH * layout * generator.lognormal(0.0, 0.05, shape)
    reference = generator.lognormal(0.0, 0.05, shape)
    ratios = [
        [paired_ratio(*pair) for pair in zip(*sides, strict=True)] for sides in zip(variant, reference, strict=True)
    ]
    over = np.mean([(own := over_processes(entry)).low <= TRUTH <= own.high for entry in ratios])
    alone = np.mean([ratio.low <= TRUTH <= ratio.high for entry in ratios for ratio in entry])
    assert over >= 0.91  # of 200: 0.95 less three of its deviations
    assert alone < 0.85


@pytest.mark.parametrize("count", [10, 20])
def test_the_interval_covers_where_some_processes_are_far_off(count):
    """Three processes in a hundred are a fifth slower; what is meant is the ratio in the others."""
    generator = np.random.default_rng(20261127)
    found = []
    for _ in range(SIMULATIONS):
        off = np.where(generator.random(count) < 0.03, 1.18, 1.0)
        found.append(
            over_processes(
                [
                    Ratio(estimate=ratio.estimate * factor, low=0.0, high=9.0)
                    for ratio, factor in zip(processes(generator, count, TRUTH), map(float, off), strict=True)
                ]
            )
        )
    assert 0.94 <= np.mean([ratio.low <= TRUTH <= ratio.high for ratio in found]) <= 0.98
    assert np.quantile([ratio.half_width for ratio in found], 0.9) < 0.02


@pytest.mark.parametrize(("rows", "spread"), [(1, 0.012), (1, 0.008), (2, 0.012), (10, 0.008)])
def test_stopping_where_it_is_narrow_does_not_cost_the_coverage(rows, spread):
    """At most ten processes; `bench.processes` looks at every row from `FEWEST_PROCESSES_TO_STOP` processes on."""
    generator = np.random.default_rng(20261128)
    covered = []
    for _ in range(SIMULATIONS):
        series = [processes(generator, 10, TRUTH, spread) for _ in range(rows)]
        for count in range(FEWEST_PROCESSES_TO_STOP, 11):
            ratios = [over_processes(one[:count]) for one in series]
            if all(ratio.half_width <= 0.01 for ratio in ratios):
                break
        covered += [ratio.low <= TRUTH <= ratio.high for ratio in ratios]
    assert 0.94 <= np.mean(covered) <= 0.98


def test_a_change_of_nothing_is_seen_as_seldom_as_it_says():
    generator = np.random.default_rng(20261126)
    changes = [change(processes(generator, 10, TRUTH), processes(generator, 10, TRUTH)) for _ in range(SIMULATIONS)]
    assert 0.94 <= np.mean([ratio.low <= 1 <= ratio.high for ratio in changes]) <= 0.98
