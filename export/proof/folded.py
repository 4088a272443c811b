"""Compute again what torch.onnx makes of a convolution or Linear layer whose BatchNorm it folds into it."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.modules.conv import _ConvNd, _ConvTransposeNd

from export.proof.file_tensors import same_bits
from export.source.arrays import bits_of

Array = NDArray[Any]


@dataclass(frozen=True, kw_only=True, eq=False)
class Fold:
    """A layer with a BatchNorm folded into it, with the arithmetic of onnxscript's rule fuse_batchnorm.

    Attributes:
        weight_name: the name of the folded weight in the file, which is the layer's own.
        weight: weight * gamma / sqrt(var + eps).
        weight_keys: the keys of the state_dict that the weight is made from.
        bias_name: the name of the folded bias in the file.
        bias: (bias - mean) * gamma / sqrt(var + eps) + beta.
        bias_keys: the keys of the state_dict that the bias is made from.
    """

    weight_name: str
    weight: Array
    weight_keys: frozenset[str]
    bias_name: str
    bias: Array
    bias_keys: frozenset[str]


def possible_folds(module: nn.Module, key: str, found: Array | None) -> Iterator[Fold]:
    """Yield the folds that may have made a tensor of a file.

    Args:
        module: the module in eval mode.
        key: the weight or bias of a layer; its tensor in the file has other bits.
        found: the tensor with the name of the layer's weight.
    """
    parts = dict(module.named_modules())
    prefix, _, name = key.rpartition(".")
    part = parts.get(prefix)
    if name not in ("weight", "bias") or not isinstance(part, _ConvNd | nn.Linear):
        return
    if found is None or found.size != part.weight.numel():
        return
    weight, outputs = bits_of(part.weight), _outputs(part)
    places = list(parts)
    start = places.index(prefix)
    for norm_prefix in places[start + 1 :] + places[:start]:
        norm = parts[norm_prefix]
        if not isinstance(norm, _BatchNorm) or norm.running_mean is None or norm.num_features != outputs:
            continue
        for eps in dict.fromkeys((norm.eps, float(np.float32(norm.eps)))):
            factor = _factor(norm, eps)
            # One row first: a network has many pairs of a layer and a BatchNorm, and few of them match.
            if same_bits(found.reshape(weight.shape)[:1], _scaled(part, weight[:1], factor)):
                yield _fold(part, weight, prefix, norm, norm_prefix, factor)


def _outputs(part: _ConvNd | nn.Linear) -> int:
    return part.out_features if isinstance(part, nn.Linear) else part.out_channels


def _factor(norm: _BatchNorm, eps: float) -> Array:
    assert norm.running_var is not None
    variance = bits_of(norm.running_var)
    gamma = np.ones_like(variance) if norm.weight is None else bits_of(norm.weight)
    factor: Array = gamma / np.sqrt(variance + eps)
    return factor


def _scaled(part: _ConvNd | nn.Linear, weight: Array, factor: Array) -> Array:
    """Scale the first rows of a weight, or all of them."""
    if not isinstance(part, _ConvTransposeNd):
        scaled: Array = weight * factor[: len(weight)].reshape(-1, *[1] * (weight.ndim - 1))
        return scaled
    groups = part.groups if len(weight) == part.in_channels else 1
    grouped = weight.reshape(groups, -1, *weight.shape[1:])
    factors = factor[: groups * weight.shape[1]].reshape(groups, 1, weight.shape[1], *[1] * (weight.ndim - 2))
    return (grouped * factors).reshape(weight.shape)


def _fold(
    part: _ConvNd | nn.Linear, weight: Array, prefix: str, norm: _BatchNorm, norm_prefix: str, factor: Array
) -> Fold:
    assert norm.running_mean is not None
    mean = bits_of(norm.running_mean)
    bias = np.zeros_like(mean) if part.bias is None else bits_of(part.bias)
    beta = np.zeros_like(mean) if norm.bias is None else bits_of(norm.bias)

    def keys(*names: str) -> frozenset[str]:
        return frozenset(f"{norm_prefix}.{name}" if norm_prefix else name for name in names)

    own = f"{prefix}." if prefix else ""
    return Fold(
        weight_name=f"{own}weight",
        weight=_scaled(part, weight, factor),
        weight_keys=frozenset({f"{own}weight"}) | keys("weight", "running_var"),
        bias_name=f"{own}weight_bias" if part.bias is None else f"{own}bias",
        bias=(bias - mean) * factor + beta,
        bias_keys=frozenset({f"{own}bias"}) | keys("bias", "running_mean"),
    )
