"""Captures of modules in which Python itself makes a number of a dynamic size."""

import pytest
import torch
from torch import nn

from export.formats import capture as capturing
from export.formats.capture import STEPS, capture
from export.formats.guards import limited_axes
from export.formats.names import Format
from export.source.axes import Axis
from export.source.module_source import from_module
from export.source.user_module import parse_input
from linreg.errors import ExportError
from tests import nets
from tests.artifacts import write_alone


class OneTokenMore(nn.Module):
    """Attention with a learnt token, repeated `len(x)` times."""

    def __init__(self):
        super().__init__()
        self.token = nn.Parameter(torch.randn(1, 1, 8))
        layer = nn.TransformerEncoderLayer(8, 2, 16, batch_first=True)
        self.encoder = nn.TransformerEncoder(layer, 1, enable_nested_tensor=False)

    def forward(self, x):
        return self.encoder(torch.cat([self.token.expand(len(x), -1, -1), x], dim=1))[:, 0]


class Halves(nn.Module):
    """Cuts an image into halves, whose height it computes with `int`."""

    def forward(self, image):
        return image[:, :, : int(image.shape[2]) // 2] * 2


@pytest.fixture(scope="module")
def source():
    torch.manual_seed(0)
    return from_module(OneTokenMore(), [parse_input("x=float32[batch,3,8]")])


def test_len_of_an_input_stays_dynamic_and_leaves_torch_as_it_was(source):
    program = capture(source)
    (size,) = {str(node.meta["val"].shape[0]) for node in program.graph.nodes if node.name == "x"}
    assert not size.isdigit()
    assert torch.backends.mha.get_fastpath_enabled()


@pytest.mark.parametrize("kind", [Format.ONNX, Format.PT2])
def test_a_module_with_the_len_of_an_input_is_exported(source, kind, tmp_path):
    assert write_alone(source, kind, tmp_path).verification.sizes[:3] == ({"batch": 1}, {"batch": 2}, {"batch": 7})


def test_the_first_refusal_is_raised_if_no_capture_keeps_the_batch():
    source = from_module(nets.BatchOfTwo(), [parse_input("x=float32[batch,4]")])
    with pytest.raises(ExportError, match=r"depends on the size of the batch; .*Constraints violated \(batch\)"):
        capture(source)


def test_int_of_a_size_with_steps_stays_dynamic():
    source = from_module(Halves(), [parse_input("image=float32[batch,3,h:32..256*32,8]")])
    (size,) = {str(node.meta["val"].shape[2]) for node in capture(source).graph.nodes if node.name == "image"}
    assert size.startswith("32*")


def test_an_axis_with_steps_that_becomes_a_constant_is_named():
    text = (
        "Constraints violated (32*steps_of_h)!\n"
        "  - You marked 32*steps_of_h as dynamic but your code specialized it to be a constant (128)."
    )
    axes, shapes = [Axis(name="h", least=32, most=256, step=32)], [("batch", "h")]
    (said,) = limited_axes(text, axes, shapes, STEPS)
    assert "axis 'h' becomes a constant" in said and "--static h=128" in said


def test_if_no_way_keeps_an_axis_the_refusal_of_the_first_is_raised(monkeypatch):
    """The second way fails for a reason of its own, which says nothing about the module."""
    failures = iter([capturing.DependsOnSizeError("first"), ExportError("second"), ExportError("third")])

    def captured(source, *, strict=False):
        raise next(failures)

    monkeypatch.setattr(capturing, "_captured", captured)
    with pytest.raises(capturing.DependsOnSizeError, match="first"):
        capturing.capture(from_module(nn.ReLU(), [parse_input("x=float32[batch,3]")]))
    assert next(failures, None) is None
