"""onnxruntime falls back to the CPU without an error: a stand-in session shows that no such session is timed."""

import onnxruntime
import pytest
import torch

from bench.plan.preparation import prepare_devices
from bench.plan.variants import Device, Kind, Variant, cuda_variants
from bench.worker.building import build
from export.formats.names import Format, file_name
from export.runners.onnxruntime import PROVIDERS, WrongProviderError, onnxruntime_runner
from export.source.source import from_checkpoint
from linreg.checkpoint import load
from linreg.errors import ModelError

FELL_BACK = "onnxruntime fell back to CPUExecutionProvider instead of CUDAExecutionProvider"


@pytest.fixture
def requested(monkeypatch) -> list[str]:
    """An onnxruntime that lists CUDA but runs every session on the CPU; the providers that were requested."""
    session, asked = onnxruntime.InferenceSession, []

    def falling_back(data, options, providers):
        asked.extend(providers)
        return session(data, options, providers=[PROVIDERS["cpu"]])

    monkeypatch.setattr(onnxruntime, "InferenceSession", falling_back)
    monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: list(PROVIDERS.values()))
    return asked


@pytest.fixture
def work(penguins, tmp_path):
    """A work folder that holds the model."""
    (tmp_path / file_name(Format.ONNX)).write_bytes((penguins / "model.onnx").read_bytes())
    return tmp_path


@pytest.mark.parametrize("io_binding", [False, True])
def test_a_session_that_fell_back_is_refused(penguins, requested, io_binding):
    data = (penguins / "model.onnx").read_bytes()
    with pytest.raises(WrongProviderError, match=rf"^net: {FELL_BACK}; check that the driver"):
        onnxruntime_runner("net", data, device="cuda", io_binding=io_binding)
    assert requested == ["CUDAExecutionProvider"]
    onnxruntime_runner("net", data, device="cpu", io_binding=io_binding)


def test_a_process_does_not_time_such_a_row(work, requested):
    row = Variant(name="onnxruntime-io_binding", kind=Kind.ONNXRUNTIME_IO_BINDING, file="model.onnx")
    with pytest.raises(ModelError, match=FELL_BACK):
        build(row, None, work, device=Device.CUDA, threads=1)
    assert build(row, None, work, device=Device.CPU, threads=1).name == "model.onnx"


def test_the_row_is_skipped_with_the_reason(penguins, work, requested, monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    rows = [row for row in cuda_variants() if row.kind in (Kind.EAGER, Kind.ONNXRUNTIME_IO_BINDING)]
    source = from_checkpoint(load(penguins))
    ready = prepare_devices(
        {Device.CUDA: rows}, source, penguins, work, provided=(), reference="eager-inference_mode", trust=False
    )[Device.CUDA]
    assert [row.name for row in ready.skipped] == ["onnxruntime-io_binding"]
    assert FELL_BACK in ready.skipped[0].skipped
    assert all(row.kind is Kind.EAGER for row in ready.variants)
