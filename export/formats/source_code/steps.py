"""The steps of a small feed-forward network, from which source code is written.

What an emitter may rely on:

- A network maps one input to one output, row by row: no step looks at another row, and no size depends on the batch.
- The elements of a tensor stand in one buffer per row, in row-major order. A reshape is no step: it is another tensor
  of the same buffer. `network.input.buffer` is 0. Every other buffer is written whole by one step, before any step that
  reads it. The output is one of these, and its buffer has the size of the output.
- Every array has the network's dtype, float32 or float64, is finite and row-major, and has a name of its own: that in
  model.onnx, with ^T for a transposed one. Its values are those of model.onnx, bit for bit. A scalar of the model is a
  `Number` in an expression, and exact in the dtype.
- Expressions are trees at most `MAX_DEPTH` deep. GREATER and LESS stand only in the first argument of WHERE.
- All arithmetic is that of the dtype. Where the order matters for the bits, the docstring of the step gives it.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np

from export.formats.source_code.trees import Constant, Element, Expression, Repeated, Tensor, leaves


@dataclass(frozen=True, kw_only=True, eq=False)
class Dense:
    """output = input @ weight.T + bias, over the last axis of the input.

    A sum begins at 0, adds input * weight in the order of the inputs with one rounding each (fma), then the bias. So up
    to 256 inputs have the bits of ONNX Runtime on x86-64.

    Attributes:
        weight: of shape (outputs, inputs).
        bias: of shape (outputs,); None adds nothing.
    """

    input: Tensor
    output: Tensor
    weight: Constant
    bias: Constant | None


@dataclass(frozen=True, kw_only=True, eq=False)
class Conv1d:
    """A convolution over the last axis of an input of shape (channels, length), in the order of sums of `Dense`.

    Attributes:
        weight: of shape (outputs, channels / groups, kernel).
        bias: of shape (outputs,); None adds nothing.
        padding: number of zeros before the first element; those after the last follow from the output's shape.
    """

    input: Tensor
    output: Tensor
    weight: Constant
    bias: Constant | None
    stride: int
    padding: int
    dilation: int
    groups: int


@dataclass(frozen=True, kw_only=True, eq=False)
class Elementwise:
    """Each element of the output is an expression of one element of each tensor, which are broadcast to its shape."""

    output: Tensor
    expression: Expression


@dataclass(frozen=True, kw_only=True, eq=False)
class LayerNorm:
    """(x - mean) / sqrt(variance + epsilon) * scale + bias over each run of `scale.values.size` elements.

    The mean is a sum of differences from the first element, whose rounding errors a second sum corrects, so that a row
    whose elements are much larger than their differences loses no digits.
    """

    input: Tensor
    output: Tensor
    scale: Constant
    bias: Constant | None
    epsilon: float


@dataclass(frozen=True, kw_only=True)
class Softmax:
    """exp(x - max) / sum(exp(x - max)) along an axis of the row."""

    input: Tensor
    output: Tensor
    axis: int


@dataclass(frozen=True, kw_only=True)
class Concat:
    """Tensors side by side along an axis of the row."""

    inputs: tuple[Tensor, ...]
    output: Tensor
    axis: int


Step = Dense | Conv1d | Elementwise | LayerNorm | Softmax | Concat


@dataclass(frozen=True, kw_only=True, eq=False)
class Network:
    """Steps from an input to an output.

    Attributes:
        dtype: dtype of input, output, buffers and constants.
        input: the input.
        output: the output.
        steps: the steps, in their order.
    """

    dtype: np.dtype[Any]
    input: Tensor
    output: Tensor
    steps: tuple[Step, ...]

    def constants(self) -> tuple[Constant, ...]:
        """The arrays that the steps use, in the order of first use."""
        found: dict[str, Constant] = {}
        for step in self.steps:
            for constant in constants_of(step):
                found.setdefault(constant.name, constant)
        return tuple(found.values())

    @property
    def is_one_layer(self) -> bool:
        """Whether the only step is a `Dense`, as in an affine module."""
        return len(self.steps) == 1 and isinstance(self.steps[0], Dense)

    def identifiers(self) -> dict[str, str]:
        """An identifier for each constant, by its name in the model; those of an only layer are weight and bias."""
        constants = self.constants()
        words = ("weight", "bias") if self.is_one_layer else [f"constant_{place}" for place in range(len(constants))]
        return {constant.name: word for constant, word in zip(constants, words, strict=False)}


def constants_of(step: Step) -> tuple[Constant, ...]:
    """The arrays that a step uses."""
    match step:
        case Dense() | Conv1d():
            return (step.weight,) if step.bias is None else (step.weight, step.bias)
        case LayerNorm():
            return (step.scale,) if step.bias is None else (step.scale, step.bias)
        case Elementwise():
            return tuple(leaf.constant for leaf in leaves(step.expression) if isinstance(leaf, Repeated))
        case Softmax() | Concat():
            return ()


def inputs_of(step: Step) -> tuple[Tensor, ...]:
    """The tensors that a step reads."""
    match step:
        case Concat():
            return step.inputs
        case Elementwise():
            return tuple(leaf.tensor for leaf in leaves(step.expression) if isinstance(leaf, Element))
        case _:
            return (step.input,)
