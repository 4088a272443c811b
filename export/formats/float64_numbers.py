"""Keep the numbers of a float64 module in float64, as torch.onnx and many attributes of ONNX round them to float32.

A slope of 0.01 becomes 0.009999999776, so that the ONNX model would have an error of 1e-8. Here the operators of a
capture that have such a number are rewritten as others with tensors of float64, or with numbers that float32 holds.
"""

from collections.abc import Callable
from math import ceil, log2, sqrt
from typing import TYPE_CHECKING, Any

import numpy as np
import onnx
import torch
from torch import Tensor
from torch.nn import functional

if TYPE_CHECKING:
    from torch.export import ExportedProgram

aten = torch.ops.aten

SELU = 1.6732632423543772848170429916717, 1.0507009873554804934193349852946
"""alpha and scale, as in torch.nn.SELU."""


def with_float64_numbers(program: "ExportedProgram") -> "ExportedProgram":
    """Return a capture whose operators on float64 tensors lose no number in ONNX; if it has none, the same one.

    Its float64 constants reach ONNX through `TRANSLATIONS`.
    """
    if any(node.target in REWRITTEN and _is_float64(node.meta.get("val")) for node in _nodes(program)):
        rewritten: ExportedProgram = program.run_decompositions({**REWRITTEN})
        return rewritten
    return program


def has_float64(program: "ExportedProgram") -> bool:
    """Whether a capture computes with float64."""
    return any(_is_float64(node.meta.get("val")) for node in _nodes(program))


def _nodes(program: "ExportedProgram") -> list[torch.fx.Node]:
    parts = [part for part in program.graph_module.modules() if isinstance(part, torch.fx.GraphModule)]
    return [node for part in parts for node in part.graph.nodes]


def _is_float64(value: object) -> bool:
    return isinstance(value, Tensor) and value.dtype == torch.float64


def _needs(x: Tensor, *numbers: float) -> bool:
    """Whether float32 does not hold a number of an operator on float64."""
    return x.dtype == torch.float64 and any(float(np.float32(number)) != number for number in numbers)


def _scalar_tensor(s: float, dtype: int = 1) -> Any:
    """A number that the module computes with; the names of the arguments are those of aten::scalar_tensor."""
    from onnxscript import opset18

    return opset18.Constant(value=onnx.helper.make_tensor("", int(dtype), [], [s]))


def _leaky_relu(x: Tensor, slope: float = 0.01) -> Any:
    return torch.where(x > 0, x, x * slope) if _needs(x, slope) else NotImplemented


def _elu(x: Tensor, alpha: float = 1.0, scale: float = 1.0, input_scale: float = 1.0) -> Any:
    """Elu with an alpha of 1 keeps the precision of expm1 near 0."""
    if not _needs(x, alpha, scale, input_scale):
        return NotImplemented
    below = functional.elu(x if input_scale == 1 else x * input_scale) * (alpha * scale)
    return torch.where(x > 0, x if scale == 1 else x * scale, below)


def _selu(x: Tensor) -> Any:
    return _elu(x, *SELU)


def _celu(x: Tensor, alpha: float = 1.0) -> Any:
    """torch.onnx casts to float32, whatever alpha is."""
    if x.dtype != torch.float64:
        return NotImplemented
    return torch.where(x > 0, x, functional.elu(x / alpha) * alpha)


def _hardtanh(x: Tensor, least: float = -1, most: float = 1) -> Any:
    return x.clamp(least, most) if _needs(x, least, most) else NotImplemented


def _hardsigmoid(x: Tensor) -> Any:
    return (x + 3).clamp(0, 6) / 6 if x.dtype == torch.float64 else NotImplemented


def _softplus(x: Tensor, beta: float = 1, threshold: float = 20) -> Any:
    """Beyond 64, softplus is its input in float64; beyond the default threshold of 20, not yet."""
    if not _needs(x, beta, threshold):
        return NotImplemented
    scaled, held = x * beta, ceil(min(max(threshold, 20), 64))
    return torch.where(scaled > threshold, x, functional.softplus(scaled, threshold=held) / beta)


def _batch_norm(
    x: Tensor,
    weight: Tensor | None,
    bias: Tensor | None,
    mean: Tensor,
    variance: Tensor,
    _momentum: float,
    epsilon: float,
) -> Any:
    if not _needs(x, epsilon):
        return NotImplemented
    result = (x - _by_channel(mean, x)) / _by_channel(torch.sqrt(variance + epsilon), x)
    if weight is not None:
        result = result * _by_channel(weight, x)
    if bias is not None:
        result = result + _by_channel(bias, x)
    return result, x.new_zeros(0), x.new_zeros(0)


def _by_channel(values: Tensor, x: Tensor) -> Tensor:
    return values if x.ndim == 2 else values.view(-1, *[1] * (x.ndim - 2))


def _layer_norm(
    x: Tensor,
    shape: list[int],
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    epsilon: float = 1e-5,
    _cudnn: bool = True,
) -> Any:
    """Normalise c x with c^2 epsilon, a power of two, which gives what x gives with epsilon.

    c is at least 2, since onnxscript takes a factor near 1 for 1.
    """
    if not _needs(x, epsilon):
        return NotImplemented
    held = 2.0 ** (ceil(log2(epsilon)) + 2)
    return functional.layer_norm(x * sqrt(held / epsilon), shape, weight, bias, held)


REWRITTEN: dict[Any, Callable[..., Any]] = {
    aten.leaky_relu.default: _leaky_relu,
    aten.elu.default: _elu,
    aten.selu.default: _selu,
    aten.celu.default: _celu,
    aten.hardtanh.default: _hardtanh,
    aten.hardsigmoid.default: _hardsigmoid,
    aten.softplus.default: _softplus,
    aten.batch_norm.default: lambda *_: NotImplemented,
    aten._native_batch_norm_legit_no_training.default: _batch_norm,
    aten.layer_norm.default: _layer_norm,
}
"""Decompositions by operator; one that returns NotImplemented leaves it as it is.

torch.export makes the second batch_norm of the first.
"""

TRANSLATIONS: dict[Callable[..., Any], Callable[..., Any]] = {aten.scalar_tensor.default: _scalar_tensor}
"""Translations to ONNX in place of torch's."""
