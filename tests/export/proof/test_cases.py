import numpy as np
import pytest
from torch import nn

from export.proof.cases import special_case
from export.source.module_source import from_module
from export.source.source import with_rows
from export.source.user_module import parse_input
from linreg.errors import ExportError
from tests import nets
from tests.judged_cases import judged_cases


def linear(dtype="float32", **options):
    import torch

    return from_module(nn.Linear(4, 1, dtype=getattr(torch, dtype)), [parse_input(f"x={dtype}[batch,4]")], **options)


def test_an_affine_module_is_tried_at_every_batch_and_scale():
    found = {case.name: case.inputs[0] for case in judged_cases(linear())}
    assert {len(rows) for rows in found.values()} >= {0, 1, 2, 7, 64, 4096}
    assert {name.split("scale ")[1] for name in found if "scale" in name} == {"0.001", "1", "10000"}
    assert np.array_equal(found["unit rows"], np.eye(4))
    assert np.array_equal(found["unit rows times 1e4"], 1e4 * np.eye(4))
    assert found["batch 64, scale 10000"].std() == pytest.approx(1e4, rel=0.2)
    assert (found["batch 7, negated"].sum() > 0) != (-found["batch 7, negated"].sum() > 0)


def test_large_inputs_are_not_tried_at_4096():
    small = from_module(nets.make(nets.Mlp), [parse_input("x=float32[batch,16]")])
    large = from_module(nn.Sequential(nn.Flatten(), nn.Linear(1200, 1)), [parse_input("x=float32[batch,3,20,20]")])
    assert 4096 in {len(case.inputs[0]) for case in judged_cases(small)}
    assert {len(case.inputs[0]) for case in judged_cases(large)} == {1, 2, 7, 64}


def test_what_runtimes_do_differently_is_not_judged():
    names = {case.name for case in judged_cases(from_module(nets.make(nets.Mlp), [parse_input("x=float32[batch,16]")]))}
    assert not names & {"special rows", "batch 0", "unit rows"}


def test_a_static_module_is_tried_at_its_own_batch():
    assert {len(case.inputs[0]) for case in judged_cases(linear(static=True))} == {1}


def test_your_rows():
    cases = list(judged_cases(with_rows(linear(), np.full((5, 4), 1.5))))
    assert cases[-1].name == "your rows"
    assert cases[-1].inputs[0].dtype == np.float32
    with pytest.raises(ExportError, match=r"your rows have shape \(5, 2, 2\), expected"):
        with_rows(linear(), np.ones((5, 2, 2)))


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_special_rows_hold_every_special_value(dtype):
    rows = special_case(linear(dtype)).inputs[0]
    assert rows.dtype == dtype
    assert np.isnan(rows).all(axis=1).any()
    assert (np.isnan(rows).sum(axis=1) == 1).any()
    limits = np.finfo(rows.dtype)
    assert {np.inf, -np.inf, float(limits.max), -float(limits.max), float(limits.smallest_subnormal)} <= set(
        rows.ravel()
    )
    assert (np.signbit(rows) & (rows == 0)).any()


def test_special_values_stand_in_every_row_wherever_the_batch_axis_is():
    class Turned(nn.Module):
        def forward(self, x):
            return x.relu()

    first = special_case(from_module(Turned(), [parse_input("x=float32[batch,3,2]")])).inputs[0]
    between = special_case(from_module(Turned(), [parse_input("x=float32[3,batch,2]")])).inputs[0]
    np.testing.assert_array_equal(np.moveaxis(between, 1, 0), first)
    assert np.isnan(first).reshape(len(first), -1).sum(axis=1).tolist().count(1) == 1
