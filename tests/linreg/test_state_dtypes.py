"""Other dtypes and tensors without plain numbers are loaded without rounding, or refused by name."""

import warnings

import pytest
import torch
from torch import nn

from linreg.config import MAX_EXPANDED_BYTES
from linreg.errors import ModelError
from linreg.state_dict import state_bytes, state_sha256
from linreg.state_reading import read_state
from tests.state_files import Net, fitted, saved

# ---- other dtypes ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("narrow", "wide"),
    [
        (torch.bfloat16, torch.float32),
        (torch.float16, torch.float32),
        (torch.bfloat16, torch.float64),
        (torch.float32, torch.float64),
    ],
)
def test_narrower_weights_are_widened_exactly(narrow, wide):
    wanted = Net().to(narrow)
    module, (note,) = fitted(wanted.state_dict(), Net().to(wide))
    assert note == f"{str(narrow)[6:]} is widened to {str(wide)[6:]}"
    for key, value in wanted.state_dict().items():
        assert torch.equal(module.state_dict()[key].double(), value.double())
        assert module.state_dict()[key].dtype == (wide if value.is_floating_point() else value.dtype)


@pytest.mark.parametrize(
    ("given", "own"),
    [
        (torch.float64, torch.float32),
        (torch.float32, torch.float16),
        (torch.float32, torch.bfloat16),
        (torch.bfloat16, torch.float16),
        (torch.float16, torch.bfloat16),
        (torch.complex64, torch.float32),
        (torch.int32, torch.float64),
    ],
)
def test_nothing_is_rounded(given, own):
    state = {"weight": torch.ones(2, 3).to(given), "bias": torch.ones(2).to(given)}
    with pytest.raises(ModelError, match=rf"'weight' is {given} of shape \(2, 3\), expected {own}"):
        fitted(state, nn.Linear(3, 2).to(own))


def test_numbers_that_are_not_finite_are_refused_unless_the_module_has_them():
    class Masked(nn.Linear):
        def __init__(self):
            super().__init__(3, 3)
            self.register_buffer("mask", torch.full((3, 3), -torch.inf).triu(1))

    state = Masked().state_dict()
    assert fitted(state, Masked())[1] == ()
    with pytest.raises(ModelError, match="'mask' holds NaN or infinity; restore the file from a copy"):
        fitted({**state, "mask": state["mask"].t()}, Masked())
    with pytest.raises(ModelError, match="'bias' holds NaN or infinity"):
        fitted({**state, "bias": torch.full((3,), torch.nan)}, Masked())


def test_a_lazy_module_takes_its_shapes_from_the_file():
    wanted, module = nn.Linear(3, 2), nn.LazyLinear(2)
    assert fitted(wanted.state_dict(), module)[1] == ()
    assert torch.equal(module(torch.ones(1, 3)), wanted(torch.ones(1, 3)))


def test_a_module_without_tensors_has_an_empty_state_dict():
    assert fitted(nn.ReLU().state_dict(), nn.ReLU())[1] == ()
    with pytest.raises(ModelError, match="holds dict, expected a state_dict"):
        read_state("file", saved({}))


# ---- tensors without plain numbers -----------------------------------------------------------------------------------


def quantized() -> torch.Tensor:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return torch.quantize_per_tensor(torch.ones(2), 0.1, 0, torch.qint8)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: torch.ones(2).to_sparse(), r"a sparse one \(sparse_coo\): tensor.to_dense\(\)"),
        (lambda: torch.ones(2, 2).to_sparse_csr(), r"a sparse one \(sparse_csr\)"),
        (lambda: torch.ones(2, device="meta"), "one on the device meta, which holds no numbers"),
        (quantized, r"a quantized one \(qint8\): tensor.dequantize\(\)"),
    ],
)
def test_tensors_of_another_kind_are_named(make, message):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        data = saved({"weight": make()})
    with pytest.raises(ModelError, match=f"^file: 'weight' is not a dense tensor; .* got {message}"):
        read_state("file", data)


def test_a_lazy_state_dict_is_named():
    with pytest.raises(ModelError, match="is of a lazy module that has no shapes yet; run the module once"):
        read_state("file", saved(nn.LazyLinear(2).state_dict()))


def test_an_expanded_tensor_is_loaded_as_torch_loads_it():
    module, notes = fitted({"weight": torch.ones(3, 1).expand(3, 2), "bias": torch.arange(3.0)}, nn.Linear(2, 3))
    assert notes == ()
    assert torch.equal(module.weight, torch.ones(3, 2))
    state = read_state("file", saved({"weight": torch.ones(1).expand(1000)}))
    assert state["weight"].is_contiguous()
    assert read_state("file", state_bytes(state))["weight"].tolist() == [1.0] * 1000


def test_expanded_tensors_have_a_limit_together():
    part = torch.ones(1).expand(MAX_EXPANDED_BYTES // 8)
    read_state("file", saved({"a": part, "b": part}))
    with pytest.raises(ModelError, match=r"'c' claims more numbers than it stores; .* save a .contiguous\(\) copy"):
        read_state("file", saved({"a": part, "b": part, "c": torch.ones(1).expand(2)}))


def test_negated_views_are_read_as_what_they_are():
    negated = torch.complex(torch.zeros(2), torch.ones(2)).conj().imag
    assert negated.is_neg()
    state = read_state("file", saved({"weight": negated, "bias": torch.ones(2, dtype=torch.complex64).conj()}))
    assert state["weight"].tolist() == [-1.0, -1.0]
    assert len(state_sha256(state)) == 64
