"""Read a checked model.onnx of a feed-forward network as steps."""

from collections.abc import Set, Sized

import numpy as np
import onnx

from export.formats.source_code import layers
from export.formats.source_code.expressions import ARITY, ELEMENTWISE, expression_of, inlined_names
from export.formats.source_code.graph import MOVES, USE_INSTEAD, dtype_of, refused, row_shape
from export.formats.source_code.reader import Reader
from export.formats.source_code.steps import Elementwise, Network
from export.formats.source_code.trees import CONDITIONS, MAX_DEPTH, Tensor, depth_of
from export.formats.source_code.views import VIEWS, view
from linreg.errors import ExportError

LAYERS = {
    "Gemm": layers.gemm,
    "MatMul": layers.matmul,
    "Conv": layers.conv,
    "LayerNormalization": layers.layer_norm,
    "Softmax": layers.softmax,
    "Concat": layers.concat,
}


def read_steps(data: bytes, kind: str) -> Network:
    """Read the steps of a model that `check_model` has accepted.

    Args:
        data: the bytes of model.onnx, with all weights inside.
        kind: the format that is written from the steps, for messages.

    Raises:
        ExportError: an operator cannot be written as source code, a size of a row is dynamic, there are several inputs
            or outputs, the dtype is not float32 or float64, or a constant is NaN or infinite.
    """
    graph = onnx.load_from_string(data).graph
    initial = {tensor.name for tensor in graph.initializer}
    inputs = [entry for entry in graph.input if entry.name not in initial]
    if len(inputs) != 1 or len(graph.output) != 1:
        raise ExportError(
            f"{kind}: the network has {_count(inputs, 'input')} and {_count(graph.output, 'output')}, expected one of "
            "each; concatenate them inside forward, or export to onnx"
        )
    for entry in (*inputs, *graph.output):
        if str(dtype_of(entry)) not in ("float32", "float64"):
            raise ExportError(
                f"{kind}: {entry.name!r} has dtype {dtype_of(entry)}, expected float32 or float64; use onnx"
            )
    reader = Reader(kind, graph, dtype_of(inputs[0]))
    given = Tensor(buffer=0, shape=row_shape(kind, inputs[0]))
    reader.tensors[inputs[0].name] = given
    inlined = inlined_names(graph)
    for node in graph.node:
        if not _read(reader, inlined, node):
            raise refused(reader.kind, _telling(graph, node))
    output = reader.tensors[graph.output[0].name]
    if output.buffer == 0:
        raise ExportError(f"{kind}: the network returns its input, so there is nothing to write; use onnx")
    if output.shape != row_shape(kind, graph.output[0]):
        raise ExportError(f"{kind}: the rows of the output are not those of the input; use onnx")
    return Network(dtype=reader.dtype, input=given, output=output, steps=tuple(reader.steps))


def _count(entries: Sized, word: str) -> str:
    return f"{len(entries)} {word}{'' if len(entries) == 1 else 's'}"


def _telling(graph: onnx.GraphProto, unknown: onnx.NodeProto) -> onnx.NodeProto:
    """Return the node to name: an LSTM rather than the Shape or Transpose that torch puts before it."""
    named = USE_INSTEAD.keys() - MOVES
    return next((node for node in graph.node if node.op_type in named and not _is_known(node)), unknown)


def _is_known(node: onnx.NodeProto) -> bool:
    return node.op_type in LAYERS or node.op_type in VIEWS or node.op_type in ELEMENTWISE


def _read(reader: Reader, inlined: Set[str], node: onnx.NodeProto) -> bool:
    """Add the steps of a node; return whether its operator is known."""
    name = node.op_type if node.domain in ("", "ai.onnx") else f"{node.domain}.{node.op_type}"
    if name in LAYERS:
        LAYERS[name](reader, node)
    elif name in VIEWS:
        view(reader, node)
    elif name in ELEMENTWISE:
        _elementwise(reader, inlined, node)
    else:
        return name == "Constant" and node.output[0] in reader.arrays
    return True


def _shape(reader: Reader, node: onnx.NodeProto) -> tuple[int, ...]:
    """The sizes of a row of the output of an elementwise node, to which its inputs are broadcast."""
    shapes = [reader.tensors[name].shape for name in node.input if name in reader.tensors]
    shapes += [known[name][1] for known in (reader.pending, reader.conditions) for name in node.input if name in known]
    if not shapes:
        raise refused(reader.kind, node, "computes with constants only")
    rank = len(shapes[0])
    if any(len(shape) != rank for shape in shapes):
        rows = " and ".join(map(str, sorted(set(shapes), key=len)))
        raise refused(reader.kind, node, f"computes with rows of {rows}, expected as many axes in each; unsqueeze one")
    if node.op_type in ARITY and rank:
        shapes += [reader.arrays[name].shape[-rank:] for name in node.input if name in reader.arrays]
    return np.broadcast_shapes(*shapes)


def _elementwise(reader: Reader, inlined: Set[str], node: onnx.NodeProto) -> None:
    """Add a step, or keep the expression for the only node that reads it."""
    shape, name = _shape(reader, node), node.output[0]
    expression = expression_of(reader, node, shape)
    condition = expression.function in CONDITIONS
    if condition:
        reader.conditions[name] = (expression, shape)
    elif name in inlined and depth_of(expression) < MAX_DEPTH:
        reader.pending[name] = (expression, shape)
    else:
        reader.steps.append(Elementwise(output=reader.output(node, shape), expression=expression))
