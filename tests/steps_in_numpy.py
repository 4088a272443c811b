"""The steps of a network computed with NumPy and torch in float64, as their docstrings define them."""

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from export.formats.source_code.steps import Concat, Conv1d, Dense, Elementwise, LayerNorm, Network, Softmax, Step
from export.formats.source_code.trees import Apply, Element, Expression, Function, Number, Repeated, Tensor

Array = NDArray[Any]

FUNCTIONS: dict[Function, Callable[..., Any]] = {
    Function.ADD: np.add,
    Function.SUBTRACT: np.subtract,
    Function.MULTIPLY: np.multiply,
    Function.DIVIDE: np.divide,
    Function.POWER: np.power,
    Function.MAXIMUM: np.maximum,
    Function.MINIMUM: np.minimum,
    Function.GREATER: np.greater,
    Function.LESS: np.less,
    Function.WHERE: np.where,
    Function.CLIP: np.clip,
    Function.NEGATE: np.negative,
    Function.ABSOLUTE: np.abs,
    Function.RECIPROCAL: np.reciprocal,
    Function.SQUARE_ROOT: np.sqrt,
    Function.EXP: np.exp,
    Function.LOG: np.log,
    Function.ERF: np.vectorize(math.erf),
    Function.TANH: np.tanh,
    Function.SIGMOID: lambda x: 1 / (1 + np.exp(-x)),
    Function.SOFTPLUS: lambda x: np.logaddexp(0, x),
    Function.RELU: lambda x: np.maximum(x, 0),
    Function.LEAKY_RELU: lambda x, slope: np.where(x < 0, slope * x, x),
    Function.ELU: lambda x, slope: np.where(x < 0, slope * np.expm1(x), x),
    Function.GELU: lambda x: x / 2 * (1 + np.vectorize(math.erf)(x / math.sqrt(2))),
    Function.GELU_TANH: lambda x: x / 2 * (1 + np.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3))),
}


def computed(steps: Network, rows: Array) -> Array:
    """The outputs of the steps."""
    buffers: dict[int, Array] = {0: rows.astype(np.float64).reshape(len(rows), -1)}
    for step in steps.steps:
        assert step.output.buffer not in buffers, "a buffer is written once"
        buffers[step.output.buffer] = _made(step, buffers, len(rows)).reshape(len(rows), step.output.size)
    return buffers[steps.output.buffer].reshape(len(rows), *steps.output.shape)


def _made(step: Step, buffers: dict[int, Array], batch: int) -> Array:
    def rows(tensor: Tensor) -> Array:
        return buffers[tensor.buffer].reshape(batch, *tensor.shape)

    match step:
        case Elementwise():
            return _element(step.expression, buffers, step.output.size)
        case Dense():
            made = rows(step.input) @ step.weight.values.astype(np.float64).T
            return made if step.bias is None else made + step.bias.values
        case Conv1d():
            return _convolved(step, rows(step.input))
        case LayerNorm():
            given = rows(step.input).reshape(batch, -1, step.scale.values.size)
            centred = given - given.mean(-1, keepdims=True)
            made = centred / np.sqrt((centred**2).mean(-1, keepdims=True) + step.epsilon)
            made = made * step.scale.values.reshape(-1)
            return made if step.bias is None else made + step.bias.values.reshape(-1)
        case Softmax():
            given = np.exp(rows(step.input))
            return given / given.sum(step.axis + 1, keepdims=True)
        case Concat():
            return np.concatenate([rows(tensor) for tensor in step.inputs], step.axis + 1)


def _convolved(step: Conv1d, given: Array) -> Array:
    length, kernel = step.output.shape[1], step.weight.values.shape[2]
    reach = (length - 1) * step.stride + (kernel - 1) * step.dilation + 1
    after = max(0, reach - step.padding - step.input.shape[1])
    weight = torch.tensor(step.weight.values.copy()).double()
    bias = None if step.bias is None else torch.tensor(step.bias.values.copy()).double()
    padded = nn.functional.pad(torch.from_numpy(given), (step.padding, after))
    made = nn.functional.conv1d(padded, weight, bias, step.stride, 0, step.dilation, step.groups)
    return made[..., :length].numpy()


def _element(expression: Expression, buffers: dict[int, Array], size: int) -> Any:
    match expression:
        case Number():
            return np.float64(expression.value)
        case Element():
            values = buffers[expression.tensor.buffer]
            return values[:, np.arange(size) // expression.inner % values.shape[1]]
        case Repeated():
            values = expression.constant.values.reshape(-1).astype(np.float64)
            return values[np.arange(size) // expression.inner % values.size]
        case Apply():
            return FUNCTIONS[expression.function](*(_element(part, buffers, size) for part in expression.arguments))
