"""Large parameters are converted to float64 in blocks, shared between copies, hashed and written without copies."""

import io

import numpy as np
import pytest
import torch
from torch import nn

import linreg
from export.precision import ExportPrecision
from export.proof.allowed_error import affine_output
from export.proof.arithmetic import InFloat64, Perturbed
from export.proof.cases import planned_cases
from export.proof.file_tensors import FileTensors, same_bits
from export.proof.oracle import Oracle
from export.proof.sizes import sizes_within
from export.source.module_source import from_module
from export.source.own_copy import own_copy
from export.source.user_module import parse_input
from linreg.manifest import read_manifest
from linreg.models import affine_of
from linreg.state_dict import state_bytes, write_state


class Products(nn.Module):
    """Every operator that takes a large matrix in blocks, and one that does not."""

    def __init__(self):
        super().__init__()
        self.first = nn.Linear(16, 24)
        self.second = nn.Linear(24, 16, bias=False)
        self.table = nn.Embedding(40, 16)
        self.matrix = nn.Parameter(torch.randn(16, 12))
        self.bias = nn.Parameter(torch.randn(12))
        self.kernel = nn.Parameter(torch.randn(16, 16, 1))

    def forward(self, x):
        x = self.second(torch.relu(self.first(x)))
        x = x + self.table(torch.argsort(x, dim=1)[:, 0])
        x = x + nn.functional.conv1d(x[:, :, None], self.kernel)[:, :, 0]
        wide = x[:, None] @ self.matrix
        return torch.addmm(self.bias, x, self.matrix) + torch.mm(x, self.matrix) + wide[:, 0] + x @ self.matrix


@pytest.fixture
def in_blocks(monkeypatch):
    monkeypatch.setattr("export.proof.arithmetic.LARGE_ELEMENTS", 100)
    monkeypatch.setattr("export.proof.arithmetic.BLOCK_ELEMENTS", 50)


def products():
    torch.manual_seed(1)
    return Products().eval()


def run(module, rows, *modes):
    with torch.inference_mode():
        for mode in modes:
            mode.__enter__()
        try:
            return module(rows).numpy()
        finally:
            for mode in reversed(modes):
                mode.__exit__(None, None, None)


@pytest.mark.usefixtures("in_blocks")
def test_blocks_give_the_float64_outputs():
    rows = torch.randn(5, 16, dtype=torch.float64)
    found = run(products(), rows, InFloat64())
    assert found.dtype == np.float64
    np.testing.assert_allclose(found, run(products().double(), rows), rtol=1e-13, atol=1e-13)


@pytest.mark.usefixtures("in_blocks")
def test_gradients_are_not_needed_for_blocks():
    rows, net = torch.randn(5, 16, dtype=torch.float64), products()
    with torch.no_grad(), InFloat64():
        found = net(rows)
    np.testing.assert_allclose(found.numpy(), run(products().double(), rows), rtol=1e-13, atol=1e-13)


def test_rounding_moves_outputs_as_far_in_blocks(monkeypatch):
    rows = torch.randn(200, 16, dtype=torch.float64)

    def moved():
        exact = run(products(), rows, InFloat64())
        return [np.abs(run(products(), rows, Perturbed(2.0**-23, seed), InFloat64()) - exact) for seed in range(8)]

    whole = np.median(moved(), axis=(0, 1))
    monkeypatch.setattr("export.proof.arithmetic.LARGE_ELEMENTS", 100)
    monkeypatch.setattr("export.proof.arithmetic.BLOCK_ELEMENTS", 50)
    blocks = np.median(moved(), axis=(0, 1))
    assert (blocks > whole / 2).all() and (blocks < whole * 2).all()


@pytest.mark.usefixtures("in_blocks")
def test_the_oracle_shares_large_parameters(monkeypatch):
    monkeypatch.setattr("export.source.own_copy.COPIED_BYTES", 0)
    source = from_module(products(), [parse_input("x=float32[batch,16]")])
    oracle = Oracle(source)
    wide, own = oracle.float64._module.state_dict(), source.module.state_dict()
    assert wide["first.weight"].data_ptr() == own["first.weight"].data_ptr()
    assert wide["first.bias"].dtype == torch.float64
    assert not oracle.float64.can_change("first.weight") and oracle.float64.can_change("first.bias")


def test_a_copy_that_shares_memory_leaves_the_module_alone(monkeypatch):
    monkeypatch.setattr("export.source.own_copy.COPIED_BYTES", 0)
    module = nn.Sequential(nn.Linear(4, 4), nn.BatchNorm1d(4)).train()
    before = {key: value.clone() for key, value in module.state_dict().items()}
    own = own_copy(module, None)
    assert own[0].weight.data_ptr() == module[0].weight.data_ptr() and own[0].weight is not module[0].weight
    own.train()(torch.randn(9, 4))
    half = own_copy(module, ExportPrecision.FLOAT16)
    assert half[0].weight.dtype == torch.float16
    assert all(torch.equal(value, before[key]) for key, value in module.state_dict().items())
    assert module.training and not half.training


@pytest.mark.parametrize("limit", [0, 2**26])
def test_a_state_dict_is_streamed_with_the_bytes_of_copies(monkeypatch, limit):
    weight = torch.randn(6, 4)
    state = {"a": weight, "tied": weight, "part": weight[:2], "turned": weight.T, "empty": torch.zeros(0)}
    expected = io.BytesIO()
    torch.save({key: value.contiguous().clone() for key, value in state.items()}, expected)
    monkeypatch.setattr("linreg.state_dict.COPIED_BYTES", limit)
    stream = io.BytesIO()
    write_state(state, stream)
    assert stream.getvalue() == expected.getvalue() == state_bytes(state)


def test_the_state_dict_of_a_large_module_is_the_same_file(tmp_path, monkeypatch):
    net = nn.Linear(4, 2)
    linreg.export(net, tmp_path / "small", inputs="x=float32[batch,4]")
    monkeypatch.setattr("export.bundle.exportable_module.COPIED_BYTES", 0)
    linreg.export(net, tmp_path / "large", inputs="x=float32[batch,4]")
    assert (tmp_path / "small/model.pth").read_bytes() == (tmp_path / "large/model.pth").read_bytes()


def test_affine_bounds_do_not_depend_on_blocks(monkeypatch):
    affine, rows = affine_of(nn.Linear(7, 11)), np.random.default_rng(0).standard_normal((5, 7), dtype=np.float32)
    whole = affine_output(affine, rows, rows)
    monkeypatch.setattr("export.proof.allowed_error.BLOCK_ELEMENTS", 20)
    blocks = affine_output(affine, rows, rows)
    np.testing.assert_allclose(blocks.values, whole.values, rtol=1e-14)
    np.testing.assert_allclose(blocks.allowed, whole.allowed, rtol=1e-14)


def test_a_large_affine_map_is_proved_on_some_unit_rows(tmp_path, monkeypatch):
    monkeypatch.setattr("export.proof.sizes.LARGE_AFFINE", 100)
    monkeypatch.setattr("export.proof.cases.UNIT_ROWS", 5)
    monkeypatch.setattr("export.proof.sizes.sizes_within.__defaults__", (8 * 100 * (2 * 40 + 10 * 30),))
    source = from_module(nn.Linear(40, 30), [parse_input("x=float32[batch,40]")])
    tried = sizes_within(source)
    assert [entry.sizes for entry in tried] == [{"batch": size} for size in (1, 2, 7, 64)]
    cases = {case.name: case for case in planned_cases(source, tried)}
    (unit,) = cases["5 unit rows"].make().inputs
    assert unit.shape == (5, 40) and unit[0, 0] == unit[-1, -1] == 1 and unit.sum() == 5
    linreg.export(nn.Linear(40, 30), tmp_path / "net", inputs="x=float32[batch,40]")
    proof = read_manifest(tmp_path / "net").entry("model.onnx").proof
    assert proof["not_tried"] and proof["not_tried"][0].startswith("batch 4096")


def test_arrays_are_compared_and_found_in_blocks(monkeypatch):
    monkeypatch.setattr("export.proof.file_tensors.BLOCK_BYTES", 64)
    array = np.random.default_rng(0).standard_normal((30, 7)).astype(np.float32)
    other = array.copy()
    other[29, 6] += 1
    assert same_bits(array, array.copy()) and not same_bits(array, other)
    tensors = FileTensors({"turned": np.ascontiguousarray(array.T)})
    assert tensors.finds(array) and not tensors.finds(other)
