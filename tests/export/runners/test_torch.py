"""What `torch_runner` calls: any callable that it is given, compiled modules and empty ones too."""

import numpy as np
import pytest
import torch
from torch import nn

from export.proof.weights import find_weights
from export.runners.torch import torch_runner
from export.source.module_source import from_module
from tests.odd_modules import X, mlp

ROWS = np.arange(8, dtype=np.float32).reshape(2, 4)


@pytest.mark.parametrize(
    "make", [lambda module: torch.compile(module, backend="eager"), lambda module: module], ids=["compiled", "plain"]
)
def test_a_module_is_called_whatever_it_says_of_its_length(make):
    module = mlp()[0]  # a Linear: compiled, it raises when it is asked whether it is true
    (answer,) = torch_runner("mine", module, call=make(module)).bind((ROWS,)).outputs()
    assert np.array_equal(answer, module(torch.from_numpy(ROWS)).detach().numpy())


def test_an_empty_module_is_called_and_not_the_one_beside_it():
    (answer,) = torch_runner("mine", mlp(), call=nn.Sequential()).bind((ROWS,)).outputs()
    assert np.array_equal(answer, ROWS)


def test_the_parameters_of_a_compiled_module_have_the_names_of_the_module_inside():
    runner = torch_runner("mine", torch.compile(mlp(), backend="eager"))
    assert len(find_weights(runner, from_module(mlp(), X)).identical) == 4


def test_a_module_of_buffers_alone_runs_where_they_are():
    class Scaled(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.register_buffer("scale", torch.ones(4, device="meta"))

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return x * self.scale

    call = torch_runner("mine", Scaled()).bind((ROWS,))
    with call.context():
        assert call.run().is_meta
