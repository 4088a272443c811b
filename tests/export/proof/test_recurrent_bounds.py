"""Bounds of recurrent modules: each step is perturbed by itself, as runtimes round each of them."""

import numpy as np
import pytest
import torch
from torch import nn

from export.proof.oracle import Oracle
from export.source.module_source import from_module
from export.source.user_module import parse_input

UNITS_OF_SIGMOID = 1.4 * 2.0**-23
"""Largest absolute error of onnxruntime's sigmoid: see `FUNCTION_UNITS` of export.proof.arithmetic."""


class Cell(nn.Module):
    """An LSTM, or a cell of one, whose forget gate is sigmoid(24 x - 11.8), and whose input gate is shut."""

    def __init__(self, kind):
        super().__init__()
        self.step = kind(1, 1)
        state = self.step.state_dict()
        for tensor in state.values():
            tensor.zero_()
        for name, tensor in state.items():
            if name.startswith("weight_ih"):
                tensor[1] = 24.0
            if name.startswith("bias_ih"):
                tensor.copy_(torch.tensor([-200.0, -11.8, 1.0, 30.0]))

    def forward(self, x, state):
        if isinstance(self.step, nn.LSTMCell):
            return self.step(x, (torch.zeros_like(state), state))[0]
        return self.step(x[None], (torch.zeros_like(state)[None], state[None]))[1][0][0]


@pytest.mark.parametrize("kind", [nn.LSTMCell, nn.LSTM])
def test_a_small_gate_times_a_large_state_may_be_off_by_the_error_of_a_sigmoid(kind):
    entries = [parse_input("x=float32[batch,1]"), parse_input("state=float32[batch,1]")]
    oracle = Oracle(from_module(Cell(kind), entries))
    x, state = np.float32([[0], [1]] * 4), np.full((8, 1), 5000, np.float32)
    (hidden,) = oracle.answers((x, state))
    small = 5000 / (1 + np.exp(11.8))
    np.testing.assert_allclose(hidden.values, np.tanh(np.where(x, 5000, small)), rtol=1e-5)
    assert (hidden.allowed[x == 0] >= 5000 * UNITS_OF_SIGMOID / np.cosh(small) ** 2).all()
