"""Each way to run a small model on the CPU, through pytest-benchmark: first proved equal, then timed.

The rounds of one row follow each other here, as pytest-benchmark has it: between rows, `linreg bench` is the judge.
"""

import time

import pytest

from bench.environment import set_threads
from bench.rounds import calibrate, garbage_collector_off
from bench.variants import NULL, REFERENCE, cpu_variants, fresh_source
from export.reference import Oracle
from export.verify import compare, verify

NAMES = [
    REFERENCE,
    NULL,
    "eager no_grad",
    "eager grad",
    "torchscript",
    "onnxruntime run",
    "onnxruntime io_binding",
]
ROUNDS = 30


@pytest.fixture(scope="module")
def line(tmp_path_factory):
    """The straight line, trained by the course's recipe, with every artifact."""
    from dataclasses import replace

    from export.formats import RUNTIME_FORMATS
    from linreg.checkpoint import load
    from linreg.commands.exporting import export_checkpoint
    from linreg.commands.train import train_line
    from linreg.config import LINE_DEFAULTS, LineSettings

    bundle = tmp_path_factory.mktemp("line")
    train_line(LineSettings(), replace(LINE_DEFAULTS, epochs=200), bundle, split_text="0.8", force=False)
    export_checkpoint(load(bundle), list(RUNTIME_FORMATS))
    return load(bundle)


@pytest.fixture
def one_thread():
    """torch on one thread, as `linreg bench` has it."""
    import torch

    before = torch.get_num_threads()
    set_threads(1)
    yield
    torch.set_num_threads(before)


def test_every_row_of_the_report_is_here(line):
    assert [variant.name for variant in cpu_variants(line)] == NAMES


@pytest.mark.usefixtures("one_thread")
@pytest.mark.parametrize("batch", [1, 4096])
@pytest.mark.parametrize("name", NAMES)
def test_latency(benchmark, line, name, batch):
    source = fresh_source(line)
    (inputs,) = source.random_inputs(batch, 1.0, batch)
    variants = {variant.name: variant for variant in cpu_variants(line)}
    runner = variants[name].build()
    eager = variants[REFERENCE].build().bind((inputs,)).outputs()[0]
    (expected,) = Oracle(source).answers((inputs,))
    call = runner.bind((inputs,))

    proved = verify(runner, source)
    worst = compare(f"{name}: batch {batch}", call.outputs()[0], expected)
    assert worst <= 1
    calls = calibrate(call, time.perf_counter_ns)
    benchmark.group = f"batch {batch}, 1 thread"
    with garbage_collector_off(), call.context():
        benchmark.pedantic(call.run, rounds=ROUNDS, warmup_rounds=3, iterations=calls)
    output = call.outputs()[0]
    worst = max(worst, compare(f"{name}: batch {batch}, after timing", output, expected))
    benchmark.extra_info.update(
        batch=batch,
        worst_error=worst,
        worst_error_of_all_cases=proved.worst_error,
        bytes_equal=proved.bytes_equal and output.tobytes() == eager.tobytes(),
        calls_per_round=calls,
    )
