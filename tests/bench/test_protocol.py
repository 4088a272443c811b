"""Python, C and JavaScript time blocks by the same constants."""

import re

import pytest

from bench import protocol
from tests.conftest import ROOT

C, JAVASCRIPT = ROOT / "deploy" / "vectors" / "bench.h", ROOT / "deploy" / "js" / "timing.mjs"
WARM_IN_CALLS, TRIALS, MAX_CALLS = protocol.WARM_IN_CALLS, protocol.CALIBRATION_TRIALS, protocol.MAX_CALLS


@pytest.mark.parametrize(
    ("file", "pattern", "expected"),
    [
        (C, r"#define BENCH_BLOCK_NS ([\d.]+)", protocol.BLOCK_S * 1e9),
        (C, r"BENCH_WARM_IN_CALLS = (\d+)", WARM_IN_CALLS),
        (C, r"BENCH_TRIALS = (\d+)", TRIALS),
        (C, r"BENCH_MAX_CALLS = (\d+)", MAX_CALLS),
        (JAVASCRIPT, r"blockMs = ([\d.]+)", protocol.BLOCK_S * 1e3),
        (JAVASCRIPT, r"const WARM_IN_CALLS = (\d+)", WARM_IN_CALLS),
        (JAVASCRIPT, r"const TRIALS = (\d+)", TRIALS),
        (JAVASCRIPT, r"const MAX_CALLS = ([\d_]+)", MAX_CALLS),
    ],
    ids=lambda value: getattr(value, "name", str(value)),
)
def test_the_programs_of_deploy_time_blocks_as_python_does(file, pattern, expected):
    (found,) = re.findall(pattern, file.read_text())
    assert float(found.replace("_", "")) == pytest.approx(expected, rel=1e-12)


def test_a_block_is_a_tenth_of_a_millisecond():
    assert protocol.BLOCK_S == 1e-4
