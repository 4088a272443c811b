"""What a difference between two environments is called."""

import numpy as np
import pytest

from bench.environments.rows import changes
from bench.worker.rounds import Blocks
from linreg.config import BenchSettings

OLD, NEW = ("old", "onnxruntime-run"), ("new", "onnxruntime-run")


def blocks(call_s: float) -> Blocks:
    seconds = np.full(20, call_s * 50)
    return Blocks(calls=50, block_s=seconds, host_s=seconds)


@pytest.mark.parametrize(
    ("ratio", "expected"),
    [(1.015, "equivalent"), (0.985, "equivalent"), (1.021, "inconclusive"), (1.03, "slower"), (0.97, "faster")],
)
def test_two_installations_of_one_version_may_differ_by_more_than_1_percent(ratio, expected):
    """So nothing below 2 % is claimed, however narrow its interval."""
    sets = ratio * np.exp(np.linspace(-0.002, 0.002, 10))
    timed = {(OLD, 1): [blocks(2e-6)] * 10, (NEW, 1): [blocks(2e-6 * each) for each in sets]}
    (found,) = changes([OLD, NEW], "old", BenchSettings(batches=(1,)), timed)
    assert found.verdict == expected
    assert found.ratio.estimate == pytest.approx(ratio, rel=1e-6)
    assert found.ratio.low < ratio < found.ratio.high
