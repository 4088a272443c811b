"""Reshapes, which move no element of a row."""

from math import prod

import onnx

from export.formats.source_code.graph import attributes_of, refused
from export.formats.source_code.reader import Reader
from export.formats.source_code.trees import Tensor

VIEWS = frozenset({"Reshape", "Flatten", "Squeeze", "Unsqueeze", "Identity", "Dropout"})


def view(reader: Reader, node: onnx.NodeProto) -> None:
    """Record that the output of a node is its input in another shape."""
    given = reader.tensor(node)
    shape = _viewed(reader, node, given)
    if prod(shape) != given.size:
        raise refused(reader.kind, node, "mixes the rows of the batch")
    reader.tensors[node.output[0]] = Tensor(buffer=given.buffer, shape=shape)


def _viewed(reader: Reader, node: onnx.NodeProto, given: Tensor) -> tuple[int, ...]:
    options = attributes_of(node)
    if node.op_type in ("Identity", "Dropout"):
        return given.shape
    if node.op_type == "Flatten":
        if options.get("axis", 1) != 1:
            raise refused(reader.kind, node, "mixes the rows of the batch")
        return (given.size,)
    named = reader.arrays.get(node.input[1]) if len(node.input) > 1 else None
    if named is None:
        raise refused(reader.kind, node, "computes the shape of its output")
    sizes = [int(size) for size in named.reshape(-1)]
    return _reshaped(reader, node, given, sizes) if node.op_type == "Reshape" else _axes(reader, node, given, sizes)


def _axes(reader: Reader, node: onnx.NodeProto, given: Tensor, named: list[int]) -> tuple[int, ...]:
    """The shape after Squeeze or Unsqueeze; axis 0 is the batch."""
    rank = 1 + len(given.shape) + (len(named) if node.op_type == "Unsqueeze" else 0)
    axes = {axis % rank for axis in named}
    if 0 in axes:
        raise refused(reader.kind, node, "mixes the rows of the batch")
    if node.op_type == "Squeeze":
        return tuple(size for axis, size in enumerate(given.shape, 1) if axis not in axes)
    sizes = iter(given.shape)
    return tuple(1 if axis in axes else next(sizes) for axis in range(1, rank))


def _reshaped(reader: Reader, node: onnx.NodeProto, given: Tensor, sizes: list[int]) -> tuple[int, ...]:
    """The shape after Reshape, whose first size is -1, or 0 for that of the input."""
    inherits = not attributes_of(node).get("allowzero")
    rest = [given.shape[axis] if size == 0 and inherits else size for axis, size in enumerate(sizes[1:])]
    if sizes[:1] == [0] and inherits:
        known = prod(size for size in rest if size != -1)
        return tuple(given.size // max(known, 1) if size == -1 else size for size in rest)
    if sizes[:1] != [-1]:
        raise refused(reader.kind, node, "gives the batch a size")
    return tuple(rest)
