"""The gate on real processes: a row that is slowed by 5 % does not pass 3 %, and the same row unchanged does."""

from pathlib import Path

import pytest

from bench.plan.subject import Subject
from bench.plan.variants import REFERENCE, Device, Kind, Variant, eager_variants
from bench.report.gate import compare_reports
from bench.report.report import Report
from bench.run import run_benchmark
from linreg.config import BenchSettings

FACTORIES = """
from dataclasses import replace
from itertools import repeat
from pathlib import Path

from export.runners.torch import torch_runner
from linreg.checkpoint import load


def planted(times):
    # Eager, called so many times in one call.
    runner = torch_runner("planted", load(Path({bundle!r})).model)

    def bind(inputs):
        call = runner.bind(inputs)

        def run():
            for _ in repeat(None, times):
                call.run()

        return replace(call, run=run)

    return replace(runner, bind=bind)


def unchanged():
    return planted(20)


def slowed():
    return planted(21)
"""


@pytest.fixture(scope="module")
def line(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The straight line."""

    from linreg.fitting import fit, straight_line

    bundle = tmp_path_factory.mktemp("line")
    fit(straight_line(), epochs=200).save(bundle)
    return bundle


def test_a_slowdown_of_5_percent_does_not_pass_3_percent(benchmark, line, tmp_path):
    path = tmp_path / "planted.py"
    path.write_text(FACTORIES.format(bundle=str(line)))

    def measured(name: str) -> Report:
        rows = [eager_variants()[0], Variant(name="planted", kind=Kind.FACTORY, file=f"{path}:{name}")]
        few = benchmark.disabled
        settings = BenchSettings(batches=(1,), processes=2 if few else 10, rounds=10 if few else 100, target=1e-9)
        return run_benchmark({"model": Subject(path=str(line))}, {Device.CPU: rows}, settings, bundle=None, provided={})

    reports = benchmark.pedantic(lambda: {name: measured(name) for name in ("unchanged", "slowed")}, rounds=1)
    again = measured("unchanged")
    changes = {
        name: next(entry for entry in compare_reports(reports["unchanged"], new, limit=0.03) if entry.name == "planted")
        for name, new in (("slowed", reports["slowed"]), ("unchanged", again))
    }
    benchmark.extra_info.update({name: [c.ratio.estimate, c.ratio.low, c.ratio.high] for name, c in changes.items()})
    assert reports["unchanged"].reference == REFERENCE
    if not benchmark.disabled:
        assert changes["slowed"].slower, changes
        assert not changes["unchanged"].slower, changes
