"""The resolution is the difference that 95 % of simulated runs and benchmarks find."""

import numpy as np
import pytest

from bench.analysis.self_check import found_in_pairs
from bench.analysis.statistics import Ratio, over_processes, paired_ratio, smallest_found


def test_the_resolution_is_what_95_percent_of_runs_find():
    """Runs are simulated; a difference of that size is planted into others, and found as often as it should be."""
    generator = np.random.default_rng(7)

    def run(planted: float) -> Ratio:
        noise = np.exp(generator.normal(0, 0.01, (2, 400)))
        return paired_ratio((1 + planted) * noise[0], noise[1])

    smallest = found_in_pairs([run(0.0) for _ in range(300)])
    found = np.mean([run(smallest).low > 1 for _ in range(1000)])
    assert 0.925 < found < 0.975  # the deviation of 1000 runs is 0.7 %


@pytest.mark.parametrize("processes", [7, 10, 15])
def test_the_resolution_of_a_benchmark_is_what_95_percent_of_benchmarks_find(processes):
    generator = np.random.default_rng(8)

    def ratios(planted: float) -> list[Ratio]:
        estimates = np.exp(np.log1p(planted) + generator.normal(0, 0.01, processes))
        return [Ratio(estimate=each, low=each, high=each) for each in estimates.tolist()]

    smallest = float(np.median([smallest_found(ratios(0.0)) for _ in range(500)]))
    found = np.mean([over_processes(ratios(smallest)).low > 1 for _ in range(1000)])
    assert 0.91 < found < 0.98
