"""The sizes at which a file with several dynamic axes is verified."""

import pytest
import torch
from torch import nn

from export.proof.cases import planned_cases
from export.proof.sizes import all_sizes, sizes_within
from export.source.module_source import from_module
from export.source.user_module import parse_input


class Attention(nn.Module):
    """Scores of queries and keys, whose numbers may differ."""

    def __init__(self):
        super().__init__()
        self.project = nn.Linear(4, 4)

    def forward(self, q, k):
        return torch.relu(self.project(q)) @ k.transpose(1, 2)


def source_of(q, k):
    return from_module(Attention(), [parse_input(f"q=float32[{q}]"), parse_input(f"k=float32[{k}]")])


@pytest.fixture(scope="module")
def source():
    return source_of("batch,m,4", "batch,n:2..40*2,4")


def test_each_axis_is_tried_at_three_sizes_apart_from_the_others(source):
    example = source.sizes()
    least = [dict(entry.sizes) for entry in all_sizes(source) if entry.least]
    for axis in source.axes:
        alone = {
            sizes[axis.name]
            for sizes in least
            if all(sizes[name] == size for name, size in example.items() if name != axis.name)
        }
        assert len(alone) >= 3 and axis.least in alone and example[axis.name] in alone
        assert all(axis.nearest(size) == size for size in alone)


def test_all_axes_are_tried_together_at_other_sizes(source):
    example = source.sizes()
    assert any(
        all(entry.sizes[name] != size for name, size in example.items()) for entry in all_sizes(source) if entry.least
    )


def test_the_largest_size_of_a_range_is_tried(source):
    assert 40 in {entry.sizes["n"] for entry in all_sizes(source)}


def test_the_outputs_carry_the_names_of_their_axes(source):
    assert source.metadata["outputs"] == [{"name": "output", "dtype": "float32", "shape": ["batch", "m", "n"]}]


def test_a_large_size_is_left_out_if_memory_is_limited(source):
    kept = [dict(entry.sizes) for entry in sizes_within(source, 1)]
    assert kept == [dict(entry.sizes) for entry in all_sizes(source) if entry.least]


def test_the_least_cases_come_first(source):
    least = [case.least for case in planned_cases(source, all_sizes(source))]
    assert sorted(least, reverse=True) == least and True in least and False in least


@pytest.mark.parametrize(
    ("axis", "sizes"), [("m:1..1", {1}), ("m:1..2", {1, 2}), ("m:3..7*4", {3, 7}), ("m:1..", {1, 5, 11, 64})]
)
def test_a_narrow_range_is_tried_completely(axis, sizes):
    source = source_of(f"batch,{axis},4", "batch,6,4")
    assert {entry.sizes["m"] for entry in all_sizes(source)} == sizes
    assert all(len({*entry.sizes}) == 2 for entry in all_sizes(source))


@pytest.mark.parametrize("shape", ["n,4", "batch,seq,4", "seq,batch,4"])
def test_a_linear_on_other_shapes_than_rows_is_proved_as_any_module(shape):
    source = from_module(nn.Linear(4, 2), [parse_input(f"x=float32[{shape}]")])
    assert source.affine is None
    assert from_module(nn.Linear(4, 2), [parse_input("x=float32[batch,4]")]).affine is not None
    names = shape.split(",")[:-1]
    assert all({*entry.sizes} == {*names} for entry in all_sizes(source))
    assert len({tuple(entry.sizes.values()) for entry in all_sizes(source)}) == len(all_sizes(source))
