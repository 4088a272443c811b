"""A trace keeps checks of declared sizes, and is refused where a value depends on the data or the batch."""

import io

import pytest
import torch
from torch import nn

from export.formats.torchscript import to_traced_torchscript
from export.source.module_source import from_module
from export.source.user_module import parse_input
from linreg.errors import ExportError


class ChecksSizes(nn.Module):
    """Checks the size of a picture, and pads it, as vision transformers do."""

    def __init__(self):
        super().__init__()
        self.convolve = nn.Conv2d(3, 4, 2)

    def forward(self, x):
        _, _, height, width = x.shape
        if height != 8 or x.size(1) != 3:
            raise ValueError("wrong size")
        if (pad := int((4 - width % 4) % 4)) > 0:
            x = nn.functional.pad(x, (0, pad))
        y = self.convolve(x)
        return y * 2 if y.shape[-1] > 4 else y


class ChecksBatch(ChecksSizes):
    def forward(self, x):
        return super().forward(x) if x.shape[0] < 10_000 else x


class ChecksElements(ChecksSizes):
    """A product of a fixed size and the size of the batch."""

    def forward(self, x):
        return super().forward(x) if x.shape[0] * x.shape[1] < 10_000 else x


class ChecksData(ChecksSizes):
    def forward(self, x):
        return super().forward(x) if x.sum() < 1e9 * x.shape[1] else x


class ChecksBoth(ChecksSizes):
    """The size of the batch and that of the picture, on one line."""

    def forward(self, x):
        return super().forward(x) if x.shape[2] == 8 and len(x) < 10_000 else x


class Constant(ChecksSizes):
    def forward(self, x):
        return super().forward(x * torch.tensor(int(x.shape[2])))


def trace(kind):
    torch.manual_seed(0)
    return from_module(kind(), [parse_input("x=float32[batch,3,8,6]")])


def test_checks_of_declared_sizes_are_traced():
    source = trace(ChecksSizes)
    loaded = torch.jit.load(io.BytesIO(to_traced_torchscript(source)))
    x = torch.randn(5, 3, 8, 6)
    torch.testing.assert_close(loaded(x), source.module(x))


@pytest.mark.parametrize("kind", [ChecksBatch, ChecksElements, ChecksData, ChecksBoth])
def test_what_depends_on_the_batch_or_the_data_is_refused(kind):
    with pytest.raises(ExportError, match=r"line \d+ of test_trace_sizes.py uses a value that depends on the input"):
        to_traced_torchscript(trace(kind))


def test_a_tensor_made_of_a_size_is_a_constant_still():
    with pytest.raises(ExportError, match=r"line \d+ of test_trace_sizes.py creates a tensor in forward"):
        to_traced_torchscript(trace(Constant))
