"""What torch's exporters say when they fail, in one plain line."""

import pytest
import torch
from torch import nn

from export.bundle.build import build
from export.formats.names import Format
from export.formats.quiet import reason
from export.source.module_source import from_module
from export.source.user_module import parse_input
from linreg.errors import ExportError


class CumulativeMaximum(nn.Module):
    def forward(self, x):
        return x.cummax(1)[0]


class Inverse(nn.Module):
    def forward(self, x):
        return torch.linalg.inv(x)


class Bessel(nn.Module):
    def forward(self, x):
        return torch.special.i0(x)


class ThroughNumpy(nn.Module):
    def forward(self, x):
        return torch.from_numpy(x.numpy() * 2)


def refusal(module, kind):
    with pytest.raises(ExportError) as caught:
        build(from_module(module, [parse_input("x=float32[batch,3,3]")]), kind)
    text = str(caught.value)
    assert text.isprintable(), text
    assert "implement" not in text
    return text


@pytest.mark.parametrize(
    ("module", "operator"),
    [(CumulativeMaximum(), "aten.cummax"), (Inverse(), "aten.linalg_inv_ex"), (Bessel(), "prims.bessel_i0")],
    ids=["cummax", "inverse", "bessel"],
)
def test_an_operator_that_onnx_lacks_is_named(module, operator):
    wanted = f"torch cannot export the module: ONNX has no operator for {operator}, or torch does not know it; "
    assert refusal(module, Format.ONNX) == f"onnx: {wanted}use --format pt2"
    source = from_module(module, [parse_input("x=float32[batch,3,3]")])
    assert build(source, Format.PT2), "the next step that the message gives"


def test_what_other_formats_lack_is_named_too():
    assert "object has no attribute or method 'numpy'" in refusal(ThroughNumpy(), Format.TORCHSCRIPT)
    assert ".numpy() is not supported" in refusal(ThroughNumpy(), Format.PT2)


def test_of_other_errors_the_innermost_is_told():
    text = (
        "Failed to decompose. \x1b[96mThis is step 2/3\x1b[0m of exporting. Next steps:\n- Create an error report\n\n"
        "## Exception summary\n\n<class 'torch.onnx.errors.InnerError'>: no shape\nfor this\n⬆️\n"
        "<class 'ValueError'>: outer\n\n(Refer to the full stack trace above for more information.)"
    )
    assert reason(RuntimeError(text)) == "InnerError: no shape for this"
    assert reason(ValueError("plain\nwords")) == "ValueError: plain words"
