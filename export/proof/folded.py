"""Compute again what becomes of a BatchNorm: torch.onnx folds it into a layer, or linreg writes it as arithmetic."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import float64, nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.modules.conv import _ConvNd, _ConvTransposeNd
from torch.nn.utils.parametrize import is_parametrized

from export.proof.file_tensors import same_bits
from export.source.arrays import bits_of

Array = NDArray[Any]
Chain = list[tuple[str, _BatchNorm]]
"""BatchNorms that follow a layer one after the other, and their names."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Fold:
    """A layer with one BatchNorm or two folded into it, with the arithmetic of onnxscript's rule fuse_batchnorm.

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


def deviations(module: nn.Module) -> Iterator[tuple[str, Array]]:
    """Yield the key of each variance of float64, and what `export.formats.float64_numbers` writes in its place."""
    for name, part in module.named_modules():
        if isinstance(part, _BatchNorm) and part.running_var is not None and part.running_var.dtype == float64:
            yield f"{name}.running_var" if name else "running_var", bits_of((part.running_var + part.eps).sqrt())


def possible_folds(module: nn.Module, key: str, found: Array | None) -> Iterator[Fold]:
    """Yield the folds that may have made a tensor of a file.

    Args:
        module: the module in eval mode.
        key: the weight or bias of a layer; no tensor in the file has its name and bits.
        found: the tensor with the name of the layer's weight; None if there is none, and then only the BatchNorms that
            follow the layer directly are tried.
    """
    parts = dict(module.named_modules())
    prefix, _, name = key.rpartition(".")
    part = parts.get(prefix)
    if name not in ("weight", "bias") or not isinstance(part, _ConvNd | nn.Linear) or is_parametrized(part):
        return
    if found is not None and found.size != part.weight.numel():
        return
    places = list(parts)
    start = places.index(prefix)
    norms = [
        (place, norm)
        for place in places[start + 1 :] + places[:start]
        if isinstance(norm := parts[place], _BatchNorm)
        and norm.running_mean is not None
        and norm.num_features == _outputs(part)
    ]
    chains = [[norm] for norm in norms] + [list(pair) for pair in pairwise(norms)]
    for chain in chains if found is not None else [norms[:1]]:
        for rounded in (False, True) if any(norm.eps != np.float32(norm.eps) for _, norm in chain) else (False,):
            # One row first: a network has many pairs of a layer and a BatchNorm, and few of them match.
            if found is None or same_bits(found.reshape(part.weight.shape)[:1], _first_row(part, chain, rounded)):
                yield _fold(part, prefix, chain, rounded)


def _outputs(part: _ConvNd | nn.Linear) -> int:
    return part.out_features if isinstance(part, nn.Linear) else part.out_channels


def _factor(norm: _BatchNorm, rounded: bool) -> Array:
    """The factor of each channel; ONNX keeps eps in float32."""
    assert norm.running_var is not None
    variance = bits_of(norm.running_var)
    gamma = np.ones_like(variance) if norm.weight is None else bits_of(norm.weight)
    factor: Array = gamma / np.sqrt(variance + (float(np.float32(norm.eps)) if rounded else norm.eps))
    return factor


def _first_row(part: _ConvNd | nn.Linear, chain: Chain, rounded: bool) -> Array:
    row = bits_of(part.weight)[:1]
    for _, norm in chain:
        row = _scaled(part, row, _factor(norm, rounded))
    return row


def _scaled(part: _ConvNd | nn.Linear, weight: Array, factor: Array) -> Array:
    """Scale the first rows of a weight, or all of them."""
    if not isinstance(part, _ConvTransposeNd):
        scaled: Array = weight * factor[: len(weight)].reshape(-1, *[1] * (weight.ndim - 1))
        return scaled
    groups = part.groups if len(weight) == part.in_channels else 1
    grouped = weight.reshape(groups, -1, *weight.shape[1:])
    factors = factor[: groups * weight.shape[1]].reshape(groups, 1, weight.shape[1], *[1] * (weight.ndim - 2))
    return (grouped * factors).reshape(weight.shape)


def _fold(part: _ConvNd | nn.Linear, prefix: str, chain: Chain, rounded: bool) -> Fold:
    weight = bits_of(part.weight)
    bias = np.zeros(_outputs(part), weight.dtype) if part.bias is None else bits_of(part.bias)
    own = f"{prefix}." if prefix else ""
    weight_keys, bias_keys = {f"{own}weight"}, {f"{own}bias"}
    for norm_prefix, norm in chain:
        assert norm.running_mean is not None
        mean, factor = bits_of(norm.running_mean), _factor(norm, rounded)
        beta = np.zeros_like(mean) if norm.bias is None else bits_of(norm.bias)
        weight, bias = _scaled(part, weight, factor), (bias - mean) * factor + beta
        start = f"{norm_prefix}." if norm_prefix else ""
        weight_keys |= {f"{start}weight", f"{start}running_var"}
        bias_keys |= {f"{start}bias", f"{start}running_mean"}
    return Fold(
        weight_name=f"{own}weight",
        weight=weight,
        weight_keys=frozenset(weight_keys),
        bias_name=f"{own}weight_bias" if part.bias is None else f"{own}bias",
        bias=bias,
        bias_keys=frozenset(bias_keys),
    )
