"""The limits of whole numbers in the text of an input."""

import numpy as np
import pytest
from torch import nn

from export.source.module_source import from_module
from export.source.user_module import parse_input
from linreg.errors import ExportError


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("1<=lengths=int64[batch]<4", {1, 2, 3}),
        ("ids=int64[batch]<3", {0, 1, 2}),
        ("-2<=shift=int8[batch]<0", {-2, -1}),
        ("mask=bool[batch]", {False, True}),
    ],
)
def test_values_are_drawn_within_the_limits(text, values):
    assert set(parse_input(text).random({"batch": 500}, 1.0, np.random.default_rng(1)).tolist()) == values


@pytest.mark.parametrize("dtype", ["int32", "int64"])
def test_indices_without_a_limit_are_refused_with_what_to_write(dtype):
    with pytest.raises(ExportError, match=rf"such as ids={dtype}\[batch,8\]<1000 .* or 1<=ids={dtype}\[batch,8\]<13"):
        parse_input(f"ids={dtype}[batch,8]")


@pytest.mark.parametrize(
    "text", ["5<=n=int64[batch]<5", "-1<=n=uint8[batch]<5", "1<=x=float32[batch]", "n=int8[1]<0", "1<=n=int8[1]"]
)
def test_limits_that_hold_no_value_are_refused(text):
    with pytest.raises(ExportError, match="--input: got"):
        parse_input(text)


class Lengths(nn.Module):
    """Fails at a length of 0, which only the caller can rule out."""

    def forward(self, lengths):
        if bool((lengths < 1).any()):
            raise RuntimeError("length 0")
        return lengths * 2


def test_a_module_that_fails_on_some_whole_numbers_is_refused_with_the_syntax_of_limits():
    assert from_module(Lengths(), [parse_input("1<=lengths=int64[batch]<13")]).output_names == ("output",)
    with pytest.raises(ExportError, match=r"length 0; .*--input '1<=NAME=int64\[batch\]<13' gives the limits"):
        from_module(Lengths(), [parse_input("lengths=int64[batch]<2")])
