"""The user's own inputs in an export: proved whatever the budget, used in the capture, and kept only if asked for."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from export.bundle.export import export
from export.bundle.vectors import read_vectors
from export.bundle.verify import verify
from export.formats import capture as capturing
from export.proof import verify as proof
from export.runners.torch import torch_runner
from export.source.given_inputs import given_inputs
from export.source.module_source import from_module
from export.source.own_inputs import inputs_of, own_inputs, with_own_inputs
from export.source.user_module import parse_input
from linreg.errors import MismatchError

PRIVATE = 1.2345678
TEXT = "input=float32[batch,4]"


def small():
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(4, 3), nn.Tanh())


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


@pytest.fixture(scope="module")
def source():
    entries = [parse_input(TEXT)]
    own = own_inputs(entries, given_inputs(torch.full((5, 4), PRIVATE), "mine"))
    return with_own_inputs(from_module(small(), entries), own)


def test_a_file_that_is_wrong_on_the_users_inputs_only_is_caught_without_a_budget(source):
    good = torch_runner("good", source.module)

    def bind(inputs):
        call = good.bind(inputs)
        wrong = float(inputs[0].flat[0]) == np.float32(PRIVATE)
        return replace(call, outputs=lambda: tuple(array + wrong for array in call.outputs()))

    planted = type(good)(name="wrong", bind=bind, parameters=good.parameters)
    proof.verify(planted, replace(source, own=()), budget_s=0.0)
    with pytest.raises(MismatchError, match="wrong: mine: 'output' at row 0") as caught:
        proof.verify(planted, source, budget_s=0.0)
    assert np.array_equal(caught.value.inputs["input"], source.own[0].arrays[0])


def test_the_module_is_captured_with_the_users_inputs(source, monkeypatch):
    seen, real = [], torch.export.export
    monkeypatch.setattr(torch.export, "export", lambda *given, **options: seen.append(given) or real(*given, **options))
    program = capturing.capture(source)
    assert torch.equal(seen[0][1][0], torch.full((2, 4), PRIVATE))
    assert program.example_inputs[0][0].shape == (2, 4), "a .pt2 file holds its example"
    one = replace(source.own[0], arrays=tuple(array[:1] for array in source.own[0].arrays))
    capturing.capture(replace(source, own=(one,)))
    assert torch.equal(seen[1][1][0], torch.full((2, 4), PRIVATE)), "torch takes an axis of size 1 for a constant"


def test_axes_that_differ_between_sets_are_captured_at_sizes_of_the_users(monkeypatch):
    class Mean(nn.Module):
        def forward(self, x):
            return x.mean(1)

    sets = given_inputs([{"x": torch.full((3, 9, 4), PRIVATE)}, {"x": torch.ones(1, 6, 4)}], "mine")
    entries = inputs_of(Mean(), sets, static=False)
    source = with_own_inputs(from_module(Mean(), entries), own_inputs(entries, sets))
    seen, real = [], torch.export.export
    monkeypatch.setattr(torch.export, "export", lambda *given, **options: seen.append(given) or real(*given, **options))
    capturing.capture(source)
    assert torch.equal(seen[0][1][0], torch.full((2, 9, 4), PRIVATE))
    square = given_inputs([{"x": torch.full((3, 4, 4), PRIVATE)}, {"x": torch.ones(1, 1, 4)}], "square")
    capturing.capture(with_own_inputs(replace(source, own=()), own_inputs(entries, square)))
    assert seen[1][1][0].shape[1] not in (1, 4), "torch may take two axes of one size for the same"


def holds(path, value):
    found = np.float32(value).tobytes()
    return found in path.read_bytes()


def test_the_users_inputs_stay_out_of_the_bundle_unless_they_are_to_be_kept():
    example = torch.full((5, 4), PRIVATE)
    export(small(), "net", example=example, formats=["onnx", "pt2"], budget="all")
    files = [path for path in Path("net").rglob("*") if path.is_file()]
    assert not [path for path in files if holds(path, PRIVATE)]
    count = len(list(read_vectors(Path("net"))))
    kept = export(small(), "net", example=[{"input": example}, (example[:2],)], keep_inputs=True, budget="all")
    vectors = list(read_vectors(Path("net")))
    assert [len(one.inputs[0]) for one in vectors[-2:]] == [5, 2]
    assert len(vectors) == count + 2
    assert np.array_equal(vectors[-2].inputs[0], example.numpy())
    assert verify(kept).rows[0].cases == len(vectors)


def test_missing_values_are_legal_inputs():
    example = torch.tensor([[1.0, float("nan"), 2.0, float("inf")], [1.0, 2.0, 3.0, 4.0]])
    bundle = export(small(), "net", example=example, keep_inputs=True, budget="1s")
    assert verify(bundle).rows[0].worst_error <= 1


def test_a_row_that_cancels_to_nearly_zero_is_not_refused():
    net = nn.Sequential(nn.Linear(3, 1, bias=False), nn.Tanh())
    net[0].weight.data = torch.tensor([[1.0, 1.0, -1.0]])
    export(net, "net", example=torch.tensor([[0.1, 0.2, 0.3]]), keep_inputs=True, budget="1s")
    assert verify("net").rows


def test_whole_numbers_of_a_float16_export_stay_whole_and_others_are_rounded():
    module = nn.Sequential(nn.Linear(4, 3), nn.Tanh())
    export(module, "net", example=torch.full((2, 4), PRIVATE), dtype="float16", keep_inputs=True, budget="1s")
    kept = list(read_vectors(Path("net")))[-1].inputs[0]
    assert kept.dtype == np.float16
    assert kept[0, 0] == np.float16(PRIVATE)


def test_keeping_inputs_of_one_fixed_shape_is_refused():
    with pytest.raises(Exception, match="keep_inputs=True: with static=True there is one test vector"):
        export(small(), "net", example=torch.ones(2, 4), static=True, keep_inputs=True)
    assert not Path("net").exists()
