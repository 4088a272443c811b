"""Dynamic axes: their ranges, the sizes of the example, and fixing them."""

import pytest

from export.source.axes import Axis, example_sizes, merged, other_size
from export.source.fixing import fixed_sizes, parse_static
from export.source.input_text import split_input
from linreg.errors import ExportError

BATCH, SEQ = Axis(name="batch"), Axis(name="seq")
H = Axis(name="h", least=32, most=1000, step=32)


def test_a_range_and_a_step_are_read():
    parsed = split_input("x=float32[batch,seq:1..512,h:32..1000*32,w:4..,3]")
    assert parsed.shape == ("batch", "seq", "h", "w", 3)
    assert parsed.axes == (BATCH, Axis(name="seq", most=512), H, Axis(name="w", least=4))
    assert [axis.described() for axis in parsed.axes] == ["batch", "seq:1..512", "h:32..1000*32", "w:4.."]


@pytest.mark.parametrize("axis", ["seq:0..4", "seq:5..4", "seq:1..8*0"])
def test_a_range_without_sizes_is_refused_by_name(axis):
    with pytest.raises(ExportError, match=r"axis 'seq', such as seq:1\.\.512"):
        split_input(f"x=float32[batch,{axis}]")


def test_sizes_follow_range_and_step():
    assert [H.at(0), H.at(1), H.at(30), H.at(31)] == [32, 64, 992, None]
    assert [H.nearest(size) for size in (1, 33, 64, 10**6)] == [32, 64, 64, 992]
    assert (H.largest(), SEQ.largest()) == (992, None)
    assert (other_size(H, 32), other_size(H, 992)) == (64, 960)


def test_a_range_holds_for_all_axes_of_that_name():
    ranged = Axis(name="seq", most=8)
    assert merged([BATCH, SEQ, ranged, SEQ]) == (BATCH, ranged)
    with pytest.raises(ExportError, match=r"'seq' has two ranges, seq:1..8 and seq:1..9"):
        merged([ranged, Axis(name="seq", most=9)])


def test_the_sizes_of_the_example_differ_from_each_other_and_from_fixed_ones():
    axes = [BATCH, SEQ, Axis(name="t"), H]
    sizes = example_sizes(axes, [5, 64])
    assert sizes["batch"] == 2 and all(axis.nearest(sizes[axis.name]) == sizes[axis.name] for axis in axes)
    assert len({*sizes.values(), 5, 64}) == len(axes) + 2


def test_an_axis_of_one_size_keeps_it():
    one = Axis(name="seq", most=1)
    assert example_sizes([BATCH, one], [])["seq"] == 1
    assert other_size(one, 1) == 1


@pytest.mark.parametrize(
    ("static", "sizes"),
    [
        (False, {}),
        (True, {"batch": 1, "h": 32}),
        ("*", {"batch": 1, "h": 32}),
        ("h", {"h": 32}),
        ("h=64, batch", {"h": 64, "batch": 1}),
        (["h=64", "batch=3"], {"h": 64, "batch": 3}),
        ({"h": 96, "batch": None}, {"h": 96, "batch": 1}),
    ],
)
def test_axes_are_fixed_by_name(static, sizes):
    assert fixed_sizes(static, [BATCH, H]) == sizes


@pytest.mark.parametrize(
    ("static", "message"),
    [
        ("w", "no input has an axis called 'w'; expected batch or seq or h"),
        ("seq", "the size of seq is open; give it: --static seq=128"),
        (True, "the size of seq is open; give it: --static batch,seq=128,h"),
        ("h=33", "got 33 for axis h:32..1000.32, expected a size of its range"),
        ("h=", "got 'h=', expected the name of an axis"),
        ({"h": 0}, "got 0 for axis 'h', expected a whole number from 1"),
    ],
)
def test_what_cannot_be_fixed_is_refused_by_name(static, message):
    with pytest.raises(ExportError, match=message):
        fixed_sizes(static, [BATCH, SEQ, H])


def test_static_false_fixes_nothing():
    assert parse_static(False) is False
