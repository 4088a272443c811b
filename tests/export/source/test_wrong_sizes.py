"""A module that does not take every size of an axis is refused with the axis, the reason and what to write."""

import pytest
import torch
from torch import nn

from export.formats.capture import capture
from export.proof.runnable import check_sizes
from export.proof.sizes import sizes_within
from export.source.module_source import from_module
from export.source.user_module import parse_input
from linreg.errors import ExportError


class Net(nn.Module):
    """A module that calls a function of its input."""

    def __init__(self, function, *shape):
        super().__init__()
        self.function = function
        self.scale = nn.Parameter(torch.ones(1, *shape))

    def forward(self, x):
        return self.function(self, x)


def added(module, x):
    return torch.relu(x + module.scale)


def cut(module, x):
    return torch.relu(x + module.scale[:, : x.shape[1]])


def grouped(module, x):
    return torch.relu(x * module.scale).reshape(x.shape[0], x.shape[1] // 4, 4, x.shape[2]).mean(2)


def flattened(module, x):
    return torch.relu(x * module.scale).view(-1, 3 * 7 * 7)


def squared(module, x):
    y = torch.relu(x * module.scale)
    return y @ y


def branching(module, x):
    return torch.relu(x * module.scale) if x.shape[1] <= 20 else torch.tanh(x * module.scale)


def looping(module, x):
    for step in range(x.shape[1]):
        x = torch.relu(x * module.scale + step)
    return x


def source_of(module, text, static=False):
    source = from_module(module, [parse_input(text)], static=static)
    check_sizes(source, [entry.sizes for entry in sizes_within(source)])
    return source


@pytest.mark.parametrize(
    ("module", "text", "advice"),
    [
        (Net(added, 12, 4), "x=float32[batch,seq,4]", "axis 'seq' must be 12: .* --static seq=12"),
        (Net(added, 4), "x=float32[batch,features]", "axis 'features' must be 4: .* --static features=4"),
        (Net(cut, 12, 4), "x=float32[batch,seq,4]", "axis 'seq' must be 1 to 12: write seq:1..12"),
        (Net(grouped, 1, 1), "x=float32[batch,h,4]", r"axis 'h' must be a multiple of 4: write h:4..\d+\*4"),
        (Net(flattened, 1, 1, 1), "x=float32[batch,3,h,w]", "'h' must be 7, axis 'w' must be 7.*--static h=7,w=7"),
        (Net(added, 3, 12, 14), "x=float32[batch,3,h,w]", "'h' must be 12, axis 'w' must be 14.*--static h=12,w=14"),
        (Net(squared, 1, 1, 1), "x=float32[batch,3,h,w]", "axes 'h' and 'w' must be equal: give them one name"),
    ],
)
def test_sizes_at_which_a_module_runs_are_found(module, text, advice):
    with pytest.raises(ExportError, match=f"does not run at .*; .*{advice}"):
        source_of(module, text)


@pytest.mark.parametrize(
    ("function", "advice"),
    [
        (branching, "axis 'seq' must be 1 to 20; write seq:1..20"),
        (looping, "axis 'seq' becomes a constant, .*; fix it, such as --static seq=5"),
    ],
)
def test_an_axis_that_the_capture_limits_is_refused_by_name(function, advice):
    with pytest.raises(ExportError, match=f"depends on the size of an axis: {advice}"):
        capture(source_of(Net(function, 1, 1), "x=float32[batch,seq,4]"))


def test_all_limited_axes_are_named():
    def looping_twice(module, x):
        return looping(module, looping(module, x).transpose(1, 2))

    with pytest.raises(ExportError, match=r"axis 'h' becomes .*; axis 'w' becomes"):
        capture(source_of(Net(looping_twice, 1, 1), "x=float32[batch,h,w]"))


@pytest.mark.parametrize("static", ["seq=12", {"seq": 12}, ["seq=12"]])
def test_a_fixed_axis_is_a_size_and_the_others_stay_dynamic(static):
    source = source_of(Net(added, 12, 4), "x=float32[batch,seq,4]", static)
    assert source.inputs[0].shape == ("batch", 12, 4)
    assert [axis.name for axis in source.axes] == ["batch"]
