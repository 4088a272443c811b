"""Each way to run a small model on the CPU, in pytest-benchmark's own table: the paired blocks of `linreg bench`.

pytest-benchmark times one test after the other, and so cannot compare them: identical code differs by 6 to 50 %. Here
all variants are timed in shuffled rounds in several processes first, and each test shows its blocks. The ratio to the
reference, its interval, the verdict and the worst error stand in `extra_info`. Gate with `linreg bench --compare`, not
with `--benchmark-compare`, which compares nanoseconds: those of unchanged code moved by 1.8 times within minutes.
"""

from pathlib import Path

import pytest

from bench.plan.subject import Subject
from bench.plan.variants import NULL, REFERENCE, Device, cpu_variants
from bench.report.report import Report
from bench.run import run_benchmark
from linreg.config import BenchSettings
from tests.benchmark.replay import Replay

BATCHES = (1, 4096)
PROCESSES = 5
NAMES = [REFERENCE, NULL, *(variant.name for variant in cpu_variants() if variant.name != REFERENCE)]
REPLAY = Replay()


@pytest.fixture(scope="module")
def report(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Report:
    """The straight line, timed; with --benchmark-disable in one process and few rounds, as only equality counts."""

    from export.bundle.export import export
    from export.formats.names import RUNTIME_FORMATS
    from linreg.fitting import fit, straight_line

    bundle: Path = tmp_path_factory.mktemp("line")
    export(fit(straight_line(), epochs=200).save(bundle), bundle, formats=RUNTIME_FORMATS)
    if request.config.getoption("benchmark_disable"):
        settings = BenchSettings(batches=BATCHES, processes=1, rounds=10, single_calls=0)
    else:
        settings = BenchSettings(batches=BATCHES, processes=PROCESSES, single_calls=0)
    return run_benchmark(
        {"model": Subject(path=str(bundle))}, {Device.CPU: cpu_variants()}, settings, bundle=bundle, provided={}
    )


@pytest.mark.benchmark(timer=REPLAY)
@pytest.mark.parametrize("batch", BATCHES)
@pytest.mark.parametrize("name", NAMES)
def test_latency(benchmark, report, name, batch):
    (comparison,) = [comparison for comparison in report.comparisons if comparison.batch == batch]
    (row,) = [row for row in comparison.rows if row.name == name]
    assert not row.problem
    assert row.worst_error is None or row.worst_error <= 1
    calls = row.processes[0].calls_per_block
    seconds = [
        block * 1e-9 / process.calls_per_block * calls for process in row.processes for block in process.block_ns
    ]
    REPLAY.load(seconds)
    benchmark.group = f"batch {batch}, 1 thread, {len(row.processes)} processes"
    benchmark.pedantic(lambda: None, rounds=len(seconds), iterations=calls)
    ratio = row.ratio
    benchmark.extra_info.update(
        batch=batch,
        reference=REFERENCE,
        ratio=None if ratio is None else [ratio.estimate, ratio.low, ratio.high],
        verdict=row.verdict,
        worst_error=row.worst_error,
        bytes_equal=row.bytes_equal,
    )
    if not benchmark.disabled:
        assert benchmark.stats.stats.total == pytest.approx(sum(seconds) / calls, rel=1e-6)
