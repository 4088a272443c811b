"""The modules of "any nn.Module": what exporters trip over. Also a file for `--module tests/nets.py:NAME`."""

import torch
from torch import Tensor, nn


class Mlp(nn.Module):
    """BatchNorm and Dropout; made in train mode, its running statistics moved by one batch."""

    def __init__(self) -> None:
        super().__init__()
        self.net = nn.Sequential(nn.Linear(16, 32), nn.BatchNorm1d(32), nn.ReLU(), nn.Dropout(0.5), nn.Linear(32, 3))

    def forward(self, x: Tensor) -> Tensor:
        return self.net(x)


class ConvNet(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.features = nn.Sequential(
            nn.Conv2d(3, 8, 3, padding=1), nn.BatchNorm2d(8), nn.ReLU(), nn.MaxPool2d(2), nn.AdaptiveAvgPool2d(1)
        )
        self.head = nn.Linear(8, 5)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.features(x).flatten(1))


class Lstm(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.lstm = nn.LSTM(8, 16, batch_first=True)
        self.head = nn.Linear(16, 2)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.lstm(x)[0][:, -1])


class Encoder(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.TransformerEncoderLayer(16, 4, 32, batch_first=True)

    def forward(self, x: Tensor) -> Tensor:
        return self.layer(x)


class TwoTowers(nn.Module):
    """Two inputs, and a dict of two outputs."""

    def __init__(self) -> None:
        super().__init__()
        self.left = nn.Linear(4, 3)
        self.right = nn.Linear(6, 3)

    def forward(self, user: Tensor, item: Tensor) -> dict[str, Tensor]:
        a, b = self.left(user), self.right(item)
        return {"sum": a + b, "score": (a * b).sum(1, keepdim=True)}


class Branches(nn.Module):
    """Control flow that depends on the data."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(4, 3)

    def forward(self, x: Tensor) -> Tensor:
        if x.sum() > 0:
            return self.layer(x)
        return self.layer(x) * 2 + 1


class BatchOfTwo(nn.Module):
    """Specialises on the size of the batch."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(4, 3)

    def forward(self, x: Tensor) -> Tensor:
        if x.shape[0] == 2:
            return self.layer(x)
        return self.layer(x) * 2


class InTrainMode(nn.Module):
    """Comes out of its constructor in train mode, where it would drop half of everything."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(4, 64)
        self.drop = nn.Dropout(0.5)
        self.train()

    def forward(self, x: Tensor) -> Tensor:
        return self.drop(self.layer(x))


class DoubleBuffers(nn.Module):
    """Buffers in float64, and casts: a plain `.double()` copy would fail on it."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(4, 3)
        self.register_buffer("mean", torch.arange(4, dtype=torch.float64) / 3)

    def forward(self, x: Tensor) -> Tensor:
        return self.layer((x.double() - self.mean).to(torch.float32))


class SharedWeights(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Linear(4, 4)
        self.second = nn.Linear(4, 4)
        self.second.weight = self.first.weight

    def forward(self, x: Tensor) -> Tensor:
        return self.second(torch.relu(self.first(x)))


class RandomNumbers(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(4, 3)

    def forward(self, x: Tensor) -> Tensor:
        return self.layer(x) + torch.randn_like(x[:, :3])


INPUTS = {
    Mlp: ["x=float32[batch,16]"],
    ConvNet: ["x=float32[batch,3,8,8]"],
    Lstm: ["x=float32[batch,5,8]"],
    Encoder: ["x=float32[batch,6,16]"],
    TwoTowers: ["user=float32[batch,4]", "item=float32[batch,6]"],
    Branches: ["x=float32[batch,4]"],
    BatchOfTwo: ["x=float32[batch,4]"],
    InTrainMode: ["x=float32[batch,4]"],
    DoubleBuffers: ["x=float32[batch,4]"],
    SharedWeights: ["x=float32[batch,4]"],
    RandomNumbers: ["x=float32[batch,4]"],
}


def make(kind: type[nn.Module]) -> nn.Module:
    """A module with the same parameters in every process."""
    torch.manual_seed(20261123)
    module = kind()
    if kind is Mlp:
        module(torch.randn(100, 16) * 2 + 1)
    return module


def make_mlp() -> nn.Module:
    return make(Mlp)


def make_two_towers() -> nn.Module:
    return make(TwoTowers)


def make_branches() -> nn.Module:
    return make(Branches)
