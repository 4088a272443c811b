"""A budget for a row that is not timed is refused before anything is timed."""

import pytest


@pytest.fixture
def timed(monkeypatch):
    """What would be timed."""
    import bench.benchmark

    asked = []
    monkeypatch.setattr(bench.benchmark, "measure", lambda request, plan, **_: asked.append(plan) or 1 / 0)
    return asked


@pytest.mark.parametrize("row", ["nosuch", "floor", "onnxruntime-ran", "cuda-graph"])
def test_an_unknown_row_is_refused_before_the_work(linreg, penguins, timed, row):
    message = linreg("bench", "-m", penguins, "-o", "new", "--budget", f"{row}:p99=1ms").failure()
    assert message.startswith(
        f"error: --budget {row}:p99=1ms: {row!r} is not timed on the CPU, expected one of eager-inference_mode, "
    )
    assert timed == []


@pytest.mark.parametrize("row", ["", "torchscript:", "onnxruntime-io_binding:"])
def test_a_row_of_the_benchmark_is_timed(linreg, penguins, timed, row):
    linreg("bench", "-m", penguins, "-o", "new", "--budget", f"{row}p99=1ms")
    assert len(timed) == 1
