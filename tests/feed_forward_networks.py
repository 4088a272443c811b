"""Feed-forward networks of the kinds that can be written as source code."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from export.formats.onnx import to_onnx
from export.source.module_source import from_module
from export.source.source import Source
from export.source.user_module import parse_input
from tests.small_networks import as_after_training


class Mixer(nn.Module):
    """A residual block with LayerNorm and GELU, and the input concatenated to its output."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.norm, self.inner = nn.Linear(6, 8), nn.LayerNorm(8), nn.Linear(8, 8)
        self.last = nn.Linear(14, 2)

    def forward(self, x: Tensor) -> Tensor:
        hidden = self.first(x)
        hidden = hidden + self.inner(nn.functional.gelu(self.norm(hidden)))
        return self.last(torch.cat([hidden, x], 1))


class Sensor(nn.Module):
    """Convolutions over a window, with a BatchNorm that no layer can take in."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Conv1d(2, 4, 3, padding="same", bias=False)
        self.norm = nn.BatchNorm1d(4)
        self.second = nn.Conv1d(4, 6, 3, stride=2, padding=2, dilation=2, groups=2)
        self.head = nn.Linear(24, 3)

    def forward(self, x: Tensor) -> Tensor:
        hidden = nn.functional.relu6(self.norm(torch.tanh(self.first(x))))
        return torch.softmax(self.head(self.second(hidden).flatten(1)), -1)


class Reshaped(nn.Module):
    """Layers over the last of two axes, softmax over the first, a reshape, and a squeezed output."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.inner, self.last = nn.Linear(4, 6), nn.Linear(3, 2), nn.Linear(4, 1)
        self.shift = nn.Parameter(torch.randn(2, 1))

    def forward(self, x: Tensor) -> Tensor:
        hidden = self.inner(self.first(x).view(x.shape[0], 2, 3)) * self.shift
        hidden = torch.softmax(hidden, 1)
        return (self.last(hidden.reshape(x.shape[0], -1)) * 0.5 + 1).squeeze(-1)


def mlp() -> nn.Module:
    """The 16-32-16-1 of the benchmark."""
    return nn.Sequential(
        nn.Linear(16, 32), nn.ReLU(), nn.Dropout(), nn.Linear(32, 16), nn.SiLU(), nn.Linear(16, 1), nn.Flatten()
    )


def activations() -> nn.Module:
    """One activation after another."""
    return nn.Sequential(
        nn.BatchNorm1d(4),
        nn.Linear(4, 5),
        nn.LeakyReLU(),
        nn.Linear(5, 5),
        nn.ELU(0.7),
        nn.GELU(),
        nn.Linear(5, 5, bias=False),
        nn.GELU("tanh"),
        nn.Softplus(),
        nn.Sigmoid(),
        nn.Linear(5, 3),
        nn.BatchNorm1d(3),
        nn.Tanh(),
    )


NETWORKS: dict[str, tuple[Callable[[], nn.Module], str]] = {
    "mlp": (mlp, "x=float32[batch,16]"),
    "activations": (activations, "x=float32[batch,4]"),
    "mixer": (Mixer, "x=float32[batch,6]"),
    "sensor": (Sensor, "x=float32[batch,2,8]"),
    "reshaped": (Reshaped, "x=float32[batch,4]"),
}
"""The networks and their inputs, by name."""


def network(name: str) -> nn.Module:
    """Make a network with weights as after training."""
    torch.manual_seed(20261126)
    return as_after_training(NETWORKS[name][0]())


def source_of(module: nn.Module, described: str, **options: Any) -> Source:
    entry = parse_input(described)
    return from_module(module.to(getattr(torch, str(entry.dtype))), [entry], **options)


_CACHE: dict[str, tuple[Source, bytes]] = {}


def exported(name: str) -> tuple[Source, bytes]:
    """A network as a source, and its model.onnx; exported once in a process."""
    if name not in _CACHE:
        source = source_of(network(name), NETWORKS[name][1])
        _CACHE[name] = (source, to_onnx(source))
    return _CACHE[name]
