"""The weights of nn.LSTM and nn.GRU as ONNX packs them: gates in its own order, directions in one tensor."""

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import nn

from export.source.arrays import bits_of

Array = NDArray[Any]

GATES = {"LSTM": (0, 3, 1, 2), "GRU": (1, 0, 2)}
"""The place in torch's order (LSTM: i f g o; GRU: r z n) of each gate of ONNX's (LSTM: i o f c; GRU: z r h)."""


def packed_weights(module: nn.Module) -> Iterator[tuple[tuple[str, ...], Array]]:
    """Yield the tensors that ONNX's operators LSTM and GRU take, and the keys of the state_dict that each holds."""
    for prefix, part in module.named_modules():
        if not isinstance(part, nn.RNNBase) or part.mode not in GATES or part.proj_size:
            continue
        start = f"{prefix}." if prefix else ""
        for layer in range(part.num_layers):
            endings = [f"_l{layer}", *([f"_l{layer}_reverse"] if part.bidirectional else [])]
            for name in ("weight_ih", "weight_hh"):
                keys = [name + ending for ending in endings]
                yield _keys(start, keys), np.stack([_reordered(part, key) for key in keys])
            if part.bias:
                pairs = [(f"bias_ih{ending}", f"bias_hh{ending}") for ending in endings]
                packed = [np.concatenate([_reordered(part, key) for key in pair]) for pair in pairs]
                yield _keys(start, [key for pair in pairs for key in pair]), np.stack(packed)


def _keys(start: str, names: list[str]) -> tuple[str, ...]:
    return tuple(start + name for name in names)


def _reordered(part: nn.RNNBase, key: str) -> Array:
    gates = np.split(bits_of(getattr(part, key)), len(GATES[part.mode]))
    return np.concatenate([gates[place] for place in GATES[part.mode]])
