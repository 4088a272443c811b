"""Read what nodes of a checked model.onnx say: attributes, constants, and how often a value is used."""

from collections import Counter
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import numpy_helper

from linreg.errors import ExportError

Array = NDArray[Any]

USE_INSTEAD = {
    "LSTM": "a Linear or Conv1d over a window of fixed length",
    "GRU": "a Linear or Conv1d over a window of fixed length",
    "RNN": "a Linear or Conv1d over a window of fixed length",
    "Gather": "inputs that are selected and encoded before the model, such as one column per category",
    "MaxPool": "a Conv1d with a stride",
    "AveragePool": "a Conv1d with a stride",
    "ReduceSum": "a Linear over the flattened tensor, with weights of 1",
    "ReduceMax": "Softmax, or a Linear over the flattened tensor",
    "Sin": "columns with the sine that are computed before the model",
    "Cos": "columns with the cosine that are computed before the model",
    "ReduceMean": "a Linear over the flattened tensor",
    "GlobalAveragePool": "a Linear over the flattened tensor",
    "InstanceNormalization": "LayerNorm",
    "ConvTranspose": "a Linear over the flattened tensor",
    "PRelu": "LeakyReLU",
    "LogSoftmax": "Softmax",
    "HardSwish": "SiLU",
    "HardSigmoid": "Sigmoid",
    "Selu": "ELU",
    "Celu": "ELU",
    "Mish": "SiLU",
    "Slice": "inputs selected before the model, or a Linear over the flattened tensor that keeps those elements",
    "Split": "a Linear for each part, over the whole tensor",
    "Transpose": "inputs in that order, or a Linear over the flattened tensor",
    "Shape": "a parameter or number that is broadcast over the batch, such as torch.ones(2)",
    "ConstantOfShape": "a parameter or number that is broadcast over the batch, such as torch.ones(2)",
    "Expand": "a parameter or number that is broadcast over the batch, such as torch.ones(2)",
}
"""What a user could build the network of, by the operator that cannot be written."""

MOVES = frozenset({"Slice", "Split", "Transpose", "Shape", "ConstantOfShape", "Expand"})
"""Operators that torch also puts around others, which say more."""

KNOWN = (
    "Linear, Conv1d, ReLU, LeakyReLU, ELU, GELU, SiLU, Tanh, Sigmoid, Softplus, Softmax, LayerNorm, BatchNorm1d, "
    "Flatten, Dropout, additions, products and concatenations"
)


def refused(kind: str, node: onnx.NodeProto, reason: str = "") -> ExportError:
    """The error that names an operator, and what could replace it."""
    where = f"{kind}: operator {node.op_type} (node {(node.name or node.output[0])[:60]!r})"
    if reason:
        return ExportError(f"{where} {reason}; export to onnx")
    instead = USE_INSTEAD.get(node.op_type, f"one of {KNOWN}")
    return ExportError(f"{where} cannot be written as source code; use {instead}, or export to onnx")


def attributes_of(node: onnx.NodeProto) -> dict[str, Any]:
    """The attributes of a node by name, with texts as str."""
    values = {entry.name: onnx.helper.get_attribute_value(entry) for entry in node.attribute}
    return {name: value.decode() if isinstance(value, bytes) else value for name, value in values.items()}


def constants_in(graph: onnx.GraphProto) -> dict[str, Array]:
    """The initializers and the outputs of Constant nodes with a tensor, by name."""
    found = {tensor.name: numpy_helper.to_array(tensor) for tensor in graph.initializer}
    for node in graph.node:
        if node.op_type == "Constant" and node.attribute[0].name == "value":
            found[node.output[0]] = numpy_helper.to_array(node.attribute[0].t)
    return found


def uses_in(graph: onnx.GraphProto) -> Counter[str]:
    """How often each value is read; the graph's outputs are read once more."""
    names = [name for node in graph.node for name in node.input]
    return Counter([*names, *(entry.name for entry in graph.output)])


def row_shape(kind: str, entry: onnx.ValueInfoProto) -> tuple[int, ...]:
    """The sizes of one row of an input or output.

    Raises:
        ExportError: the first axis is fixed, or another one is dynamic.
    """
    sizes = entry.type.tensor_type.shape.dim
    described = [size.dim_param or size.dim_value for size in sizes]
    if not sizes or not sizes[0].dim_param:
        raise ExportError(f"{kind}: the function takes any number of rows; leave out --static")
    if moving := [size.dim_param for size in sizes[1:] if size.dim_param]:
        raise ExportError(
            f"{kind}: {entry.name!r} has shape {described}, expected one dynamic axis, the batch; fix the others: "
            f"--static {moving[0]}"
        )
    return tuple(int(size.dim_value) for size in sizes[1:])


def dtype_of(entry: onnx.ValueInfoProto) -> np.dtype[Any]:
    """The dtype of an input or output."""
    return np.dtype(onnx.helper.tensor_dtype_to_np_dtype(entry.type.tensor_type.elem_type))
