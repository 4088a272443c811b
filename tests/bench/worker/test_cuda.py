"""On a CUDA device: the rows, their answers, the captured graph, both clocks, and what a copy costs."""

import json
from contextlib import nullcontext

import numpy as np
import pytest
import torch

from bench.analysis.parts import Status
from bench.plan.preparation import unavailable
from bench.plan.subject import Subject
from bench.plan.variants import FLOOR, NULL, WITHOUT_OUTPUTS, Device, Kind, Variant, cuda_variants
from bench.run import run_benchmark
from bench.worker.rounds import measure_rounds
from export.runners.torch import torch_runner
from linreg.checkpoint import load
from linreg.config import BenchSettings

NO_DEVICE = "this torch sees no CUDA device"
needs_device = pytest.mark.skipif(not torch.cuda.is_available(), reason=NO_DEVICE)


@pytest.fixture
def x() -> np.ndarray:
    return np.random.default_rng(1).normal(size=(64, 3)).astype(np.float32)


def linear() -> torch.nn.Linear:
    torch.manual_seed(1)
    return torch.nn.Linear(3, 2).to("cuda")


# ---- without a device ------------------------------------------------------------------------------------------------


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a CUDA device")
def test_without_a_device_every_row_stands_with_the_reason(penguins):
    variants = cuda_variants(compiled=True)
    floor = [variant for variant in variants if variant.kind is Kind.FLOOR]
    for variant in variants:
        assert "sees no CUDA device" in unavailable(variant, Device.CUDA), variant.name
    report = run_benchmark(
        {"model": Subject(path=str(penguins))},
        {Device.CUDA: variants},
        BenchSettings(batches=(1,), rounds=10, processes=1),
        bundle=penguins,
        provided={},
    )
    (comparison,) = report.comparisons
    assert [row.name for row in comparison.rows] == [variant.name for variant in variants]
    assert len(floor) == 1
    assert all(row.status is Status.SKIPPED and row.median_s is None for row in comparison.rows)
    assert report.settings.processes_run == 0


def test_a_graph_and_the_price_of_a_copy_have_rows_of_their_own():
    kinds = [variant.kind for variant in cuda_variants()]
    for kind in (Kind.CUDA_GRAPH, Kind.COPY_TO_DEVICE, Kind.COPY_FROM_DEVICE, Kind.ONNXRUNTIME_IO_BINDING):
        assert kinds.count(kind) == 1
    assert {Kind.COPY_TO_DEVICE, Kind.COPY_FROM_DEVICE, Kind.FLOOR} == WITHOUT_OUTPUTS


# ---- with one --------------------------------------------------------------------------------------------------------


@pytest.mark.cuda
@needs_device
def test_every_row_answers_like_the_reference(penguins):
    report = run_benchmark(
        {"model": Subject(path=str(penguins))},
        {Device.CUDA: cuda_variants()},
        BenchSettings(batches=(1, 64), rounds=20, processes=1),
        bundle=penguins,
        provided={},
    )
    assert [comparison.batch for comparison in report.comparisons] == [1, 64]
    for comparison in report.comparisons:
        rows = {row.name: row for row in comparison.rows}
        assert set(rows) == {NULL, *(variant.name for variant in cuda_variants())}
        # .pt2 is not among them; onnxruntime's provider is where onnxruntime-gpu is installed.
        skipped = {name: row.problem for name, row in rows.items() if row.problem}
        assert set(skipped) <= {"onnxruntime-io_binding"}
        assert all("CUDA provider" in problem for problem in skipped.values())
        for row in rows.values():
            if row.problem:
                continue
            assert row.median_s > 0
            assert row.kind in WITHOUT_OUTPUTS or 0 <= row.worst_error <= 1
            assert not row.tails_s  # a call returns before it is done
            for process in row.processes:
                assert len(process.block_ns) == 20
        assert rows["cuda-graph"].verdict is not None
        assert rows["copy-to-device"].verdict is rows[FLOOR].verdict is None
    values = report.to_values()
    assert json.loads(json.dumps(values, allow_nan=False)) == values
    process = values["comparisons"][0]["rows"][0]["processes"][0]
    assert len(process["host_ns"]) == len(process["block_ns"]) == 20


@pytest.mark.cuda
@needs_device
def test_a_wrong_weight_is_struck_out_on_the_device_too(penguins, tmp_path):
    """An archive of another model, under the name of this one's."""
    import io

    from export.runners.ledger import remember

    module = load(penguins).model
    with torch.no_grad():
        next(module.parameters()).mul_(1.001)
    buffer = io.BytesIO()
    torch.jit.save(torch.jit.script(module), buffer)
    remember(buffer.getvalue())
    rows = [
        Variant(name="eager", kind=Kind.EAGER),
        Variant(name="bad", kind=Kind.TORCHSCRIPT, file="model.torchscript"),
    ]
    report = run_benchmark(
        {"model": Subject(path=str(penguins))},
        {Device.CUDA: rows},
        BenchSettings(batches=(1,), rounds=10, processes=1, reference="eager"),
        bundle=None,
        provided={"model.torchscript": buffer.getvalue()},
    )
    found = {row.name: row for row in report.comparisons[0].rows}
    assert found["bad"].problem
    assert found["bad"].median_s is None
    assert not found["eager"].problem


@pytest.mark.cuda
@needs_device
def test_a_graph_answers_like_the_module(x):
    from bench.worker.cuda import graph_runner

    module = linear()
    call = graph_runner("graph", module).bind((x,))
    eager = torch_runner("eager", module).bind((x,)).outputs()
    for _ in range(3):
        call.run()
        np.testing.assert_array_equal(call.outputs()[0], eager[0])
    other = graph_runner("graph", module).bind((x[::-1].copy(),))
    np.testing.assert_array_equal(other.outputs()[0], eager[0][::-1])
    np.testing.assert_array_equal(call.outputs()[0], eager[0])  # each has inputs of its own
    assert {*graph_runner("graph", module).parameters()} == {"weight", "bias"}


@pytest.mark.cuda
@needs_device
def test_a_block_ends_when_its_work_is_done_and_not_when_it_is_launched():
    """A large product: launching it takes microseconds, doing it much more. Sizes are compared, not times."""
    from bench.worker.cuda import time_block_on_device, time_launches

    matrix = torch.ones(4096, 4096, device="cuda")
    matrix @ matrix  # libraries load at the first
    device_ns, host_ns = time_block_on_device(lambda: matrix @ matrix, 20)
    launched_ns = time_launches(lambda: matrix @ matrix, 20)
    assert host_ns >= device_ns * 0.99  # clocks of two devices
    assert device_ns > 5 * launched_ns


@pytest.mark.cuda
@needs_device
@pytest.mark.parametrize("rows", [1, 64])
def test_the_host_never_waits_less_than_the_device_works(x, rows):
    from bench.worker.cuda import graph_runner, time_block_on_device

    module = linear()
    calls = {
        "eager": torch_runner("eager", module).bind((x[:rows],)),
        "graph": graph_runner("graph", module).bind((x[:rows],)),
    }
    for name, blocks in measure_rounds(calls, rounds=30, seed=0, timer=time_block_on_device).items():
        assert np.all(blocks.block_s > 0), name
        assert np.mean(blocks.host_s >= blocks.block_s * 0.99) > 0.9, name


@pytest.mark.cuda
@needs_device
def test_copies_copy(x, monkeypatch):
    from bench.worker.cuda import copy_from_device_runner, copy_to_device_runner

    module = linear()
    copied = []
    real = {name: getattr(torch.Tensor, name) for name in ("to", "cpu")}
    monkeypatch.setattr(torch.Tensor, "to", lambda own, *words, **more: _kept(copied, real["to"](own, *words, **more)))
    monkeypatch.setattr(torch.Tensor, "cpu", lambda own, *words: _kept(copied, real["cpu"](own, *words)))
    for make, device, expected in (
        (copy_to_device_runner, "cuda", x),
        (copy_from_device_runner, "cpu", torch_runner("eager", module).bind((x,)).outputs()[0]),
    ):
        call = make("copy", module).bind((x,))
        copied.clear()
        with call.context():
            call.run()
        assert [tensor.device.type for tensor in copied] == [device]
        np.testing.assert_array_equal(real["cpu"](copied[0]).numpy(), expected)
        assert call.outputs() == ()


def _kept(copied: list[torch.Tensor], tensor: torch.Tensor) -> torch.Tensor:
    copied.append(tensor)
    return tensor


@pytest.mark.cuda
@needs_device
def test_an_empty_call_takes_the_device_no_time_worth_telling():
    from bench.worker.cuda import time_block_on_device
    from export.runners.base import Call

    call = Call(run=lambda: None, outputs=lambda: (), context=nullcontext)
    blocks = measure_rounds({"floor": call}, rounds=5, seed=0, timer=time_block_on_device)["floor"]
    assert blocks.block_s.shape == (5,)
    assert blocks.calls > 10
