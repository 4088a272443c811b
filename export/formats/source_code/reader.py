"""What is known while the nodes of an ONNX graph are read in their order."""

from math import prod
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray

from export.formats.source_code.graph import constants_in, refused
from export.formats.source_code.steps import Elementwise, Step
from export.formats.source_code.trees import (
    CONDITIONS,
    Apply,
    Constant,
    Element,
    Expression,
    Number,
    Repeated,
    Tensor,
)

Array = NDArray[Any]


class Reader:
    """What is known while the nodes are read in their order.

    Attributes:
        kind: the format that is written, for messages.
        dtype: dtype of all numbers.
        arrays: the constants by their name.
        tensors: the tensors by the name of their value.
        pending: expressions that their only reader will contain, and their shapes, by the name of their value.
        conditions: truth values, which every Where that reads them contains, and their shapes.
        steps: the steps so far.
    """

    def __init__(self, kind: str, graph: onnx.GraphProto, dtype: np.dtype[Any]) -> None:
        self.kind, self.dtype = kind, dtype
        self.tensors: dict[str, Tensor] = {}
        self.pending: dict[str, tuple[Expression, tuple[int, ...]]] = {}
        self.conditions: dict[str, tuple[Expression, tuple[int, ...]]] = {}
        self.steps: list[Step] = []
        self.arrays = constants_in(graph)
        self._constants: dict[str, Constant] = {}
        self._buffers = 1

    def number(self, name: str) -> float | None:
        """A scalar of the model; None if the value is something else."""
        array = self.arrays.get(name)
        return float(array) if array is not None and array.ndim == 0 and array.dtype == self.dtype else None

    def constant(self, node: onnx.NodeProto, place: int, *, transposed: bool = False) -> Constant:
        """An array that a node takes as an input.

        Raises:
            ExportError: it is computed, has another dtype, or holds NaN or infinity.
        """
        name = node.input[place]
        if name not in self.arrays:
            raise refused(self.kind, node, f"computes with two tensors ({name[:60]!r} is not a constant)")
        if self.arrays[name].dtype != self.dtype:
            raise refused(self.kind, node, f"has a constant of {self.arrays[name].dtype}, expected {self.dtype}")
        if not np.isfinite(self.arrays[name]).all():
            raise refused(self.kind, node, "has a constant that is NaN or infinite")
        key = f"{name}^T" if transposed else name
        if key not in self._constants:
            values = self.arrays[name].T if transposed else self.arrays[name]
            self._constants[key] = Constant(name=key, values=np.ascontiguousarray(values))
        return self._constants[key]

    def operand(self, node: onnx.NodeProto, place: int, shape: tuple[int, ...]) -> Expression:
        """An input of an elementwise node, whose output has this shape.

        Raises:
            ExportError: it cannot be broadcast to that shape.
        """
        name = node.input[place]
        if (known := self._computed(name)) is not None:
            expression, found = known
            return expression if found == shape else self._broadcast(node, expression, found, shape)
        number = self.number(name)
        if number is not None and np.isfinite(number):
            return Number(value=number)
        constant = self.constant(node, place)
        return self.repeated(node, constant, constant.values.shape, shape)

    def _computed(self, name: str) -> tuple[Expression, tuple[int, ...]] | None:
        """The expression and shape of a value that depends on the input."""
        if name in self.tensors:
            return Element(tensor=self.tensors[name]), self.tensors[name].shape
        return self.pending.pop(name, None) or self.conditions.get(name)

    def repeated(
        self, node: onnx.NodeProto, constant: Constant, own: tuple[int, ...], shape: tuple[int, ...]
    ) -> Repeated:
        """A constant, seen in its own shape, that is broadcast to rows of a shape.

        Raises:
            ExportError: it differs by row of the batch, enlarges the shape, or is repeated in a way that no run of
                elements shows.
        """
        batch, sizes = (
            own[: len(own) - len(shape)],
            (1,) * (len(shape) - len(own)) + own[-len(shape) :] if shape else (),
        )
        inner = _inner(sizes, shape)
        if prod(batch) != 1 or inner is None:
            raise refused(self.kind, node, f"broadcasts {constant.name[:60]!r} of {own} to {shape}")
        return Repeated(constant=constant, inner=inner)

    def _broadcast(
        self, node: onnx.NodeProto, expression: Expression, own: tuple[int, ...], shape: tuple[int, ...]
    ) -> Element:
        """A computed value that is broadcast along the axes of a row; one that has no buffer yet is computed first."""
        inner = _inner(own, shape)
        if inner is None or (isinstance(expression, Apply) and expression.function in CONDITIONS):
            raise refused(self.kind, node, f"broadcasts a computed value of {own} to {shape}")
        if isinstance(expression, Element):
            return Element(tensor=expression.tensor, inner=inner)
        made = self._buffer(own)
        self.steps.append(Elementwise(output=made, expression=expression))
        return Element(tensor=made, inner=inner)

    def tensor(self, node: onnx.NodeProto, place: int = 0) -> Tensor:
        """A tensor that a node takes as an input.

        Raises:
            ExportError: it is a constant or a truth value.
        """
        name = node.input[place]
        if name not in self.tensors:
            raise refused(self.kind, node, f"takes {name[:60]!r}, which is not a tensor of numbers")
        return self.tensors[name]

    def output(self, node: onnx.NodeProto, shape: tuple[int, ...]) -> Tensor:
        """A new buffer for the output of a node."""
        made = self.tensors[node.output[0]] = self._buffer(shape)
        return made

    def _buffer(self, shape: tuple[int, ...]) -> Tensor:
        self._buffers += 1
        return Tensor(buffer=self._buffers - 1, shape=shape)


def _inner(own: tuple[int, ...], shape: tuple[int, ...]) -> int | None:
    """How often each element is repeated in a run, where one shape is broadcast to another; None if no runs show it."""
    wide = [axis for axis, size in enumerate(own) if size != 1]
    first, last = (wide[0], wide[-1]) if wide else (0, len(shape) - 1)
    if wide and own[first : last + 1] != shape[first : last + 1]:
        return None
    return prod(shape[last + 1 :])
