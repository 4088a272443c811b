"""The spread of A/A ratios: this harness beside torch.utils.benchmark and pytest-benchmark, for the same time each.

The same call is measured twice and the ratio of the two figures taken; it should be 1. Ours pairs blocks and takes the
median of their ratios; the other two measure one call and then the other, as one does with them, and their means are
compared, which is what gates on them do, and their medians. Repetitions of the three alternate, so that a busy minute
harms each alike.
"""

import json
import math
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import torch
from torch.utils.benchmark import Timer

from bench.analysis.statistics import paired_ratio
from bench.worker.rounds import measure_rounds
from export.runners.torch import torch_runner
from linreg.models import LinearRegressionModelV2

PAIR_S = 6.0
PAIRS = 12
CHUNKS = 4
OURS_ROUNDS = 16_500
"""Two blocks of 0.1 ms and two warm-ins of 8 calls each take about 0.36 ms."""

THEIR_ROUNDS = 400_000
"""Of pytest-benchmark, which times one call a round: 7 us each. By --benchmark-max-time it would take a tenth of it."""

NARROWER = 30
STATISTICS = ("mean", "median")
ORDINARY = """
import pytest, torch
from linreg.models import LinearRegressionModelV2

torch.set_num_threads(1)
model, rows = LinearRegressionModelV2(1).eval(), torch.ones(1, 1)

def call():
    return model(rows)

@pytest.mark.parametrize("place", range({count}))
def test_call(benchmark, place):
    with torch.inference_mode():
        benchmark(call)
"""


def ours(seed: int) -> float:
    """The log-ratio of one call to itself, by paired rounds."""
    call = torch_runner("eager", LinearRegressionModelV2(1).eval()).bind((np.ones((1, 1), np.float32),))
    blocks = measure_rounds({"one": call, "other": call}, rounds=OURS_ROUNDS, seed=seed)
    return math.log(paired_ratio(blocks["other"].call_s, blocks["one"].call_s).estimate)


def torchs() -> dict[str, float]:
    """The same by two runs of torch's Timer: of their means, and of their medians."""
    model, rows = LinearRegressionModelV2(1).eval(), torch.ones(1, 1)
    with torch.inference_mode():
        timer = Timer("model(rows)", globals={"model": model, "rows": rows})
        first, second = (timer.blocked_autorange(min_run_time=PAIR_S / 2) for _ in range(2))
    return {name: math.log(getattr(second, name) / getattr(first, name)) for name in STATISTICS}


def pytests(folder: Path, pairs: int) -> dict[str, list[float]]:
    """The same by pairs of tests of pytest-benchmark."""
    (folder / "test_ordinary.py").write_text(ORDINARY.format(count=2 * pairs))
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "test_ordinary.py"]
    command += [f"--benchmark-min-rounds={THEIR_ROUNDS}", "--benchmark-json=figures.json"]
    root = str(Path(__file__).parents[3])
    done = subprocess.run(
        command, cwd=folder, env={**os.environ, "PYTHONPATH": root}, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout
    found = json.loads((folder / "figures.json").read_text())["benchmarks"]
    stats = [entry["stats"] for entry in sorted(found, key=lambda entry: entry["params"]["place"])]
    return {
        name: [math.log(second[name] / first[name]) for first, second in zip(stats[::2], stats[1::2], strict=True)]
        for name in STATISTICS
    }


def spreads(folder: Path) -> dict[str, list[float]]:
    """The log-ratios of all three, their repetitions alternating."""
    torch.set_num_threads(1)
    found: dict[str, list[float]] = {"linreg": []}
    each = PAIRS // CHUNKS
    for chunk in range(CHUNKS):
        for place in range(each):
            found["linreg"].append(ours(chunk * each + place))
            for name, value in torchs().items():
                found.setdefault(f"torch.utils.benchmark, {name}", []).append(value)
        for name, values in pytests(folder, each).items():
            found.setdefault(f"pytest-benchmark, {name}", []).extend(values)
    return found


def test_spread_of_the_same_call_against_itself(benchmark, tmp_path):
    if benchmark.disabled:
        assert abs(ours(0)) < 0.05
        return
    found = benchmark.pedantic(spreads, args=(tmp_path,), rounds=1)
    spread = {name: float(np.std(logs, ddof=1)) for name, logs in found.items()}
    benchmark.extra_info.update({f"{name}: standard deviation": value for name, value in spread.items()})
    print("".join(f"\n{name:30} {value:9.4%}" for name, value in spread.items()))
    for name in spread.keys() - {"linreg"}:
        assert spread[name] >= NARROWER * spread["linreg"], spread
