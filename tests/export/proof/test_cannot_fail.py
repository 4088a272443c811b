"""Outputs that are the same in every case, inputs without effect and saturated outputs are named."""

import numpy as np
import pytest
import torch
from torch import nn

from export.proof.cannot_fail import cannot_fail
from export.proof.influence import coverage
from export.proof.oracle import Oracle
from export.source.module_source import from_module
from export.source.user_module import parse_input

ROWS = "x=float32[batch,8]"


class Computes(nn.Module):
    def __init__(self, compute, *layers):
        super().__init__()
        self.layers = nn.ModuleList(layers)
        self.compute = compute


class One(Computes):
    def forward(self, x):
        return self.compute(self.layers, x)


class Two(Computes):
    def forward(self, ids, kinds):
        return self.compute(self.layers, ids, kinds)


def zero_head():
    head = nn.Linear(8, 3)
    nn.init.zeros_(head.weight)
    nn.init.zeros_(head.bias)
    return head


def notes_of(module, *inputs):
    torch.manual_seed(1)
    oracle = Oracle(from_module(module, [parse_input(text) for text in inputs]))
    inputs = [oracle.source.random_inputs({"batch": rows}, 1.0, rows) for rows in (1, 2, 7)]
    cases = [(each, oracle.float64.outputs(each)) for each in inputs]
    return cannot_fail(oracle, cases, oracle.source.random_inputs({"batch": 2}, 1e4, 3))


def test_an_all_zero_head_is_named_and_the_other_output_is_not():
    module = One(lambda layers, x: (layers[0](x), layers[1](x)), zero_head(), nn.Linear(8, 3))
    assert notes_of(module, ROWS) == ("output 'output_0' is 0 in every case",)


def test_an_output_that_is_one_number_in_every_case_is_named():
    assert notes_of(One(lambda layers, x: layers[0](x).argmax(1), zero_head()), ROWS) == (
        "output 'output' is 0 in every case",
    )


def test_an_output_of_whole_numbers_that_vary_is_not_named():
    torch.manual_seed(0)
    assert notes_of(One(lambda layers, x: layers[0](x).argmax(1), nn.Linear(8, 3)), ROWS) == ()


def test_an_input_without_effect_is_named():
    torch.manual_seed(0)
    module = Two(lambda layers, ids, kinds: layers[0](ids) + 0 * kinds[..., None].float(), nn.Embedding(20, 3))
    assert notes_of(module, "ids=int64[batch,5]<20", "kinds=int64[batch,5]<2") == (
        "no output depends on input 'kinds'",
    )


def test_an_input_with_a_small_effect_is_not_named():
    torch.manual_seed(0)
    module = Two(lambda layers, ids, kinds: layers[0](ids) + 1e-9 * kinds[..., None].float(), nn.Embedding(20, 3))
    assert notes_of(module, "ids=int64[batch,5]<20", "kinds=int64[batch,5]<2") == ()


@pytest.mark.parametrize(
    ("activation", "expected"),
    [
        (torch.tanh, ("output 'output' is saturated at the largest scale",)),
        (torch.relu, ()),
        (torch.nn.functional.gelu, ()),
        (torch.sign, ("output 'output' is saturated", "output 'output' is saturated at the largest scale")),
    ],
)
def test_a_saturated_output_is_named_with_the_scale(activation, expected):
    torch.manual_seed(0)
    assert notes_of(One(lambda layers, x: activation(layers[0](x)), nn.Linear(8, 3, bias=False)), ROWS) == expected


def test_an_output_that_depends_on_no_input_is_named_by_its_inputs():
    torch.manual_seed(0)
    module = One(lambda layers, x: layers[0].weight.sum(1).expand(x.shape[0], -1), nn.Linear(8, 3))
    notes = notes_of(module, ROWS)
    assert "no output depends on input 'x'" in notes


def test_faults_are_not_tried_beyond_the_budget():
    torch.manual_seed(0)
    module = nn.Sequential(nn.Linear(8, 8), nn.Tanh(), nn.Linear(8, 3))
    oracle = Oracle(from_module(module, [parse_input(ROWS)]))
    inputs = oracle.source.random_inputs({"batch": 2}, 1.0, 3)
    cases, keys = [(inputs, oracle.answers(inputs, 1.0))], list(module.state_dict())
    assert coverage(oracle, cases, keys).covered == tuple(keys)
    runs = []
    found = coverage(oracle, cases, keys, lambda: not runs.append(1) and len(runs) < 10)
    assert 0 < found.not_tried < len(keys)
    assert len(found.unproved) == found.not_tried == len(keys) - len(found.covered)
    stopped = coverage(oracle, cases, keys, lambda: False)
    assert stopped.unproved == tuple(keys) and stopped.not_tried == len(keys)


NET = """
import torch
from torch import nn

def make_net():
    torch.manual_seed(0)
    net = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 3))
    nn.init.zeros_(net[2].weight)
    nn.init.zeros_(net[2].bias)
    return net
"""


def test_export_shows_it_and_keeps_it(linreg, tmp_path):
    from linreg.manifest import read_manifest

    (tmp_path / "net.py").write_text(NET)
    ended = linreg(
        "export", "--module", f"{tmp_path / 'net.py'}:make_net", "--input", "x=float32[batch,4]",
        "-f", "torchscript", "-o", tmp_path / "out",
    )  # fmt: skip
    assert ended.code == 0
    assert "model.torchscript: cannot fail: output 'output' is 0 in every case\n" in ended.err
    (proof,) = [entry.proof for entry in read_manifest(tmp_path / "out").files if entry.name == "model.torchscript"]
    assert proof["cannot_fail"] == ["output 'output' is 0 in every case"]


def test_changed_inputs_are_values_that_the_input_accepts():
    from export.proof.cannot_fail import _changed

    for values in (np.arange(6).reshape(3, 2), np.array([[True, False]]), np.array([[1.0, 1.0]], np.float32)):
        changed = _changed(values)
        assert changed is not None and changed.shape == values.shape and changed.dtype == values.dtype
        assert not np.array_equal(changed, values)
        if values.dtype.kind != "f":
            assert sorted(changed.flat) == sorted(values.flat)
    assert _changed(np.ones((2, 3), np.int64)) is None
