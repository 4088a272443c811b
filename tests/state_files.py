"""A small net, and its state_dict saved in other forms."""

import io
import warnings
from collections import OrderedDict

import torch
from torch import nn

from linreg.state_dict import state_sha256
from linreg.state_loading import load_into
from linreg.state_reading import read_state


def saved(state) -> bytes:
    buffer = io.BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.save(state, buffer)
    return buffer.getvalue()


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.a = nn.Linear(3, 4)
        self.n = nn.BatchNorm1d(4)

    def forward(self, x):
        return self.n(torch.relu(self.a(x)))


def renamed(state, change):
    """The same tensors and versions under the names that `change` gives them."""
    other = OrderedDict((change(key), value) for key, value in state.items())
    other._metadata = OrderedDict((change(f"{key}.")[:-1], value) for key, value in state._metadata.items() if key)
    return other


def fitted(state, module=None) -> tuple[nn.Module, tuple[str, ...]]:
    module = Net() if module is None else module
    return module, load_into(module, read_state("file", saved(state)))


def same(module: nn.Module, other: nn.Module) -> bool:
    return state_sha256(module.state_dict()) == state_sha256(other.state_dict())
