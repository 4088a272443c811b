"""Small networks of the kinds that people export, with weights as after training, for planting faults into files."""

from typing import Any

import torch
from torch import Tensor, nn


class Residual(nn.Module):
    def __init__(self, inside: int, outside: int, stride: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(inside, outside, 3, stride, padding=1, bias=False)
        self.first_norm = nn.BatchNorm2d(outside)
        self.second = nn.Conv2d(outside, outside, 3, padding=1, bias=False)
        self.second_norm = nn.BatchNorm2d(outside)
        self.shortcut = nn.Sequential(nn.Conv2d(inside, outside, 1, stride, bias=False), nn.BatchNorm2d(outside))

    def forward(self, x: Tensor) -> Tensor:
        y = torch.relu(self.first_norm(self.first(x)))
        return torch.relu(self.second_norm(self.second(y)) + self.shortcut(x))


class ResNet(nn.Module):
    """Strided residual blocks, as in ResNet-18."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(3, 16, 7, 2, padding=3, bias=False), nn.BatchNorm2d(16), nn.ReLU())
        self.pool = nn.MaxPool2d(3, 2, padding=1)
        self.blocks = nn.Sequential(Residual(16, 16, 1), Residual(16, 32, 2))
        self.head = nn.Linear(32, 10)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.blocks(self.pool(self.stem(x))).mean((2, 3)))


class MobileBlock(nn.Module):
    def __init__(self, inside: int, outside: int, stride: int) -> None:
        super().__init__()
        wide = 4 * inside
        self.layers = nn.Sequential(
            nn.Conv2d(inside, wide, 1, bias=False),
            nn.BatchNorm2d(wide),
            nn.ReLU6(),
            nn.Conv2d(wide, wide, 3, stride, padding=1, groups=wide, bias=False),
            nn.BatchNorm2d(wide),
            nn.Hardswish(),
            nn.Conv2d(wide, outside, 1, bias=False),
            nn.BatchNorm2d(outside),
        )
        self.squeeze = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Conv2d(outside, outside, 1), nn.Hardsigmoid())

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.layers(x)
        return y * self.squeeze(y)


class MobileNet(nn.Module):
    """Inverted residuals with depthwise convolutions and squeeze-and-excite, as in MobileNetV3."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(3, 8, 3, 2, padding=1, bias=False), nn.BatchNorm2d(8), nn.Hardswish())
        self.blocks = nn.Sequential(MobileBlock(8, 12, 2), MobileBlock(12, 16, 1))
        self.head = nn.Sequential(nn.Flatten(), nn.Linear(16, 24), nn.Hardswish(), nn.Dropout(0.2), nn.Linear(24, 10))

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.blocks(self.stem(x)).mean((2, 3)))


class Bert(nn.Module):
    """Embeddings with a LayerNorm, and post-norm encoder layers; two outputs."""

    def __init__(self) -> None:
        super().__init__()
        self.words, self.places = nn.Embedding(100, 32), nn.Embedding(16, 32)
        self.norm = nn.LayerNorm(32)
        layer = nn.TransformerEncoderLayer(32, 4, 64, activation="gelu", batch_first=True)
        self.encoder = nn.TransformerEncoder(layer, 2)
        self.pooler = nn.Linear(32, 32)

    def forward(self, ids: Tensor) -> tuple[Tensor, Tensor]:
        embedded = self.norm(self.words(ids) + self.places.weight[: ids.shape[1]])
        hidden = self.encoder(embedded)
        return hidden, torch.tanh(self.pooler(hidden[:, 0]))


class Tagger(nn.Module):
    """A bidirectional LSTM over embedded words, and a label for each."""

    def __init__(self) -> None:
        super().__init__()
        self.words = nn.Embedding(60, 12, padding_idx=0)
        self.lstm = nn.LSTM(12, 16, num_layers=2, bidirectional=True, batch_first=True)
        self.head = nn.Linear(32, 7)

    def forward(self, ids: Tensor) -> Tensor:
        return self.head(self.lstm(self.words(ids))[0])


class VisionTransformer(nn.Module):
    """Patches, a class token, places and pre-norm encoder layers."""

    def __init__(self) -> None:
        super().__init__()
        self.patches = nn.Conv2d(3, 24, 4, 4)
        self.token = nn.Parameter(torch.randn(1, 1, 24))
        self.places = nn.Parameter(torch.randn(1, 17, 24))
        layer = nn.TransformerEncoderLayer(24, 3, 48, activation="gelu", batch_first=True, norm_first=True)
        self.encoder = nn.TransformerEncoder(layer, 2, nn.LayerNorm(24), enable_nested_tensor=False)
        self.head = nn.Linear(24, 10)

    def forward(self, x: Tensor) -> Tensor:
        embedded = self.patches(x).flatten(2).transpose(1, 2)
        tokens = torch.cat([self.token.expand(x.shape[0], -1, -1), embedded], 1) + self.places
        return self.head(self.encoder(tokens)[:, 0])


NETWORKS = {
    ResNet: "x=float32[batch,3,32,32]",
    Bert: "ids=int64[batch,8]<100",
    Tagger: "ids=int64[batch,6]<60",
    MobileNet: "x=float32[batch,3,32,32]",
    VisionTransformer: "x=float32[batch,3,16,16]",
}
"""The networks and their inputs."""


def make(kind: type[nn.Module]) -> nn.Module:
    """Make a network with weights as after training."""
    torch.manual_seed(20261126)
    return as_after_training(kind())


def as_after_training(network: Any) -> Any:
    """Move the vectors of a new network away from 0 and 1, and its running statistics from those of no data."""
    with torch.no_grad():
        for value in network.parameters():
            if value.ndim == 1:
                value.add_(0.1 * torch.randn_like(value))
        for part in network.modules():
            if isinstance(part, nn.modules.batchnorm._BatchNorm):
                assert part.running_mean is not None and part.running_var is not None
                part.running_mean.normal_(0, 0.2)
                part.running_var.uniform_(0.5, 2)
    return network.eval()
