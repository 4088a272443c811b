"""Expressions of numbers, elements of tensors and constants, which are trees of functions."""

from dataclasses import dataclass
from enum import StrEnum
from math import prod
from typing import Any

from numpy.typing import NDArray

Array = NDArray[Any]

MAX_DEPTH = 16
"""A C99 compiler need only accept 63 nested parentheses."""


class Function(StrEnum):
    """A function of numbers; `x` is the first argument.

    LEAKY_RELU and ELU take their slope as the second argument, CLIP its limits as the second and third.
    GELU is x/2 (1 + erf(x / sqrt 2)), GELU_TANH is x/2 (1 + tanh(sqrt(2/pi) (x + 0.044715 x^3))), SOFTPLUS is
    log(1 + exp x). RELU, CLIP, MAXIMUM and MINIMUM of NaN are NaN.
    """

    ADD = "add"
    SUBTRACT = "subtract"
    MULTIPLY = "multiply"
    DIVIDE = "divide"
    POWER = "power"
    MAXIMUM = "maximum"
    MINIMUM = "minimum"
    GREATER = "greater"
    LESS = "less"
    WHERE = "where"
    CLIP = "clip"
    NEGATE = "negate"
    ABSOLUTE = "absolute"
    RECIPROCAL = "reciprocal"
    SQUARE_ROOT = "square_root"
    EXP = "exp"
    LOG = "log"
    ERF = "erf"
    TANH = "tanh"
    SIGMOID = "sigmoid"
    SOFTPLUS = "softplus"
    RELU = "relu"
    LEAKY_RELU = "leaky_relu"
    ELU = "elu"
    GELU = "gelu"
    GELU_TANH = "gelu_tanh"


CONDITIONS = (Function.GREATER, Function.LESS)


@dataclass(frozen=True, kw_only=True)
class Tensor:
    """A buffer, seen in a shape.

    Attributes:
        buffer: number of the buffer; 0 is the input.
        shape: sizes of one row, without the batch.
    """

    buffer: int
    shape: tuple[int, ...]

    @property
    def size(self) -> int:
        """Number of elements in a row."""
        return prod(self.shape)


@dataclass(frozen=True, kw_only=True, eq=False)
class Constant:
    """An array of the model: its name in model.onnx, and its values."""

    name: str
    values: Array


@dataclass(frozen=True, kw_only=True)
class Number:
    """A number, exact in the dtype of the network."""

    value: float


@dataclass(frozen=True, kw_only=True)
class Element:
    """Element `i // inner % size` of a tensor that may be broadcast, where `i` is the element of the output."""

    tensor: Tensor
    inner: int = 1


@dataclass(frozen=True, kw_only=True, eq=False)
class Repeated:
    """Element `i // inner % size` of a constant that is broadcast."""

    constant: Constant
    inner: int


@dataclass(frozen=True, kw_only=True, eq=False)
class Apply:
    """A function of expressions."""

    function: Function
    arguments: "tuple[Expression, ...]"


Expression = Number | Element | Repeated | Apply


def leaves(expression: Expression) -> tuple[Number | Element | Repeated, ...]:
    """The numbers and elements in an expression, from left to right."""
    if isinstance(expression, Apply):
        return tuple(leaf for argument in expression.arguments for leaf in leaves(argument))
    return (expression,)


def functions_of(expression: Expression) -> tuple[Function, ...]:
    """The functions in an expression."""
    if not isinstance(expression, Apply):
        return ()
    inner = (function for argument in expression.arguments for function in functions_of(argument))
    return (expression.function, *inner)


def depth_of(expression: Expression) -> int:
    """How many functions are nested in an expression."""
    if not isinstance(expression, Apply):
        return 0
    return 1 + max(depth_of(argument) for argument in expression.arguments)
