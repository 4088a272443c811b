"""Models as arrays: predictions that do not depend on other rows, rounding, and the module that shares their memory."""

import numpy as np
import pytest
import torch

from linreg.affine import predict, rounded
from linreg.config import Architecture
from linreg.models import module_of
from linreg.processor import cpu_capability


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("features", [1, 3, 16, 100])
def test_a_row_is_predicted_alone_as_among_others(dtype, features):
    generator = np.random.default_rng(0)
    model = rounded(Architecture.LINEAR, generator.normal(size=features), 0.3, dtype)
    rows = generator.normal(size=(301, features))
    every = predict(model, rows)
    assert every.dtype == dtype
    for size in (1, 2, 7, 64):
        parts = [predict(model, np.asfortranarray(rows[start : start + size])) for start in range(0, 301, size)]
        assert np.concatenate(parts).tobytes() == every.tobytes()


@pytest.mark.parametrize("architecture", list(Architecture))
def test_overflow_becomes_infinity(architecture):
    model = rounded(architecture, np.array([-1e300]), 1e300, "float32")
    assert [array.item() for array in model.state().values()] == [-np.inf, np.inf]


@pytest.mark.parametrize("architecture", list(Architecture))
def test_the_module_shares_the_memory_of_the_arrays(architecture):
    model = rounded(architecture, np.array([0.1]), 0.2, "float32")
    module = module_of(model)
    assert list(module.state_dict()) == list(model.state())
    assert not module.training
    assert all(parameter.requires_grad for parameter in module.parameters())
    with torch.no_grad():
        next(module.parameters()).fill_(5.0)
    assert model.weight.tolist() == [[5.0]]


def test_the_processor_is_named_as_torch_names_it():
    assert cpu_capability() == torch.backends.cpu.get_cpu_capability()
