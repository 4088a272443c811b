"""Files with several dynamic axes: their names in the graph, and the faults that a proof at several sizes finds."""

import numpy as np
import onnx
import pytest
import torch
from torch import nn

import linreg
from export.bundle.vectors import read_vectors
from export.formats import torchscript
from export.formats.capture import capture
from export.formats.onnx import to_onnx
from export.formats.onnx_checks import axes
from export.runners.onnxruntime import onnxruntime_runner
from export.source.module_source import from_module
from export.source.user_module import parse_input
from linreg.errors import MismatchError


class Strided(nn.Module):
    """Two convolutions that halve height and width each."""

    def __init__(self):
        super().__init__()
        self.one, self.two = nn.Conv2d(3, 4, 3, 2, 1), nn.Conv2d(4, 2, 3, 2, 1)

    def forward(self, x):
        return self.two(torch.relu(self.one(x)))


class Steps(nn.Module):
    """A running sum over the first axis."""

    def __init__(self):
        super().__init__()
        self.linear = nn.Linear(4, 4)

    def forward(self, x):
        return torch.relu(self.linear(x)).cumsum(0)


@pytest.fixture(scope="module")
def images():
    return from_module(Strided(), [parse_input("x=float32[batch,3,h:8..64*4,w:8..64*4]")])


@pytest.fixture(scope="module")
def data(images):
    return to_onnx(images, program=capture(images))


def test_the_axes_of_inputs_and_outputs_have_names(data):
    graph = onnx.load_model_from_string(data).graph
    assert axes(graph.input[0]) == ["batch", 3, "h", "w"]
    batch, channels, height, width = axes(graph.output[0])
    assert (batch, channels) == ("batch", 2)
    assert "h" in str(height) and "w" not in str(height) and "w" in str(width)


@pytest.mark.parametrize("shape", [(1, 3, 8, 64), (3, 3, 60, 12), (5, 3, 44, 44)])
def test_sizes_that_no_proof_tried_are_right(images, data, shape):
    x = np.random.default_rng(0).standard_normal(shape).astype(np.float32)
    (answer,) = onnxruntime_runner("model.onnx", data).bind((x,)).outputs()
    with torch.no_grad():
        torch.testing.assert_close(torch.from_numpy(answer), images.module(torch.from_numpy(x)))


def test_the_batch_may_be_any_axis(tmp_path):
    bundle = linreg.export(Steps(), tmp_path / "net", inputs="x=float32[seq,batch,4]", budget="1s")
    entry = bundle.manifest.entry("model.onnx")
    assert len({sizes["seq"] for sizes in entry.proof["sizes"]}) >= 3
    assert len({sizes["batch"] for sizes in entry.proof["sizes"]}) >= 3
    shapes = {vectors.inputs[0].shape for vectors in read_vectors(tmp_path / "net")}
    assert len({shape[0] for shape in shapes}) >= 3 and len({shape[1] for shape in shapes}) >= 3
    assert linreg.verify(tmp_path / "net").rows


class Scaled(nn.Module):
    """Scales by a function of the number of steps, which a trace records as a constant."""

    def __init__(self):
        super().__init__()
        self.linear = nn.Linear(4, 4)

    def forward(self, x):
        return torch.relu(self.linear(x)) * float(np.log2(x.detach().numpy().shape[1]))


def test_a_trace_that_fixes_the_size_of_an_axis_is_not_kept(tmp_path, monkeypatch):
    """Without torch's warnings, only the proof at several sizes can find it."""
    traced = torchscript._traced
    monkeypatch.setattr(torchscript, "_traced", lambda *arguments: (traced(*arguments)[0], []))
    with pytest.raises(MismatchError, match="seq"):
        linreg.export(
            Scaled(), tmp_path / "net", inputs="x=float32[batch,seq,4]", formats=["torchscript-trace"], budget="1s"
        )
    assert not [*tmp_path.rglob("*.torchscript")]
