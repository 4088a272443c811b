"""Cut an ONNX graph at its nodes: a prefix with all or only the live values as outputs, or one node alone."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import onnx
from numpy.typing import NDArray
from onnx import GraphProto, ModelProto, NodeProto, helper

Array = NDArray[Any]


def used_values(node: NodeProto) -> list[str]:
    """The names that a node reads, including those that its inner graphs take from outside, without repetition."""
    names = [name for name in node.input if name]
    for inner in _inner_graphs(node):
        made = {entry.name for entry in (*inner.input, *inner.initializer)}
        made |= {name for part in inner.node for name in part.output}
        inside = [name for part in inner.node for name in used_values(part)]
        names += [name for name in (*inside, *(entry.name for entry in inner.output)) if name not in made]
    return list(dict.fromkeys(names))


def made_values(node: NodeProto) -> list[str]:
    """The names of a node's outputs, without those left out."""
    return [name for name in node.output if name]


def live_values(graph: GraphProto, count: int) -> list[str]:
    """The values made by the first `count` nodes that later nodes or the graph's outputs read."""
    wanted = {entry.name for entry in graph.output}
    wanted |= {name for node in graph.node[count:] for name in used_values(node)}
    return [name for node in graph.node[:count] for name in made_values(node) if name in wanted]


def prefix(model: ModelProto, count: int, outputs: Sequence[str]) -> ModelProto:
    """The first `count` nodes of a model; `outputs` are values that they make, whose types the runtime infers."""
    nodes = model.graph.node[:count]
    return _cut(model, nodes, model.graph.input, [onnx.ValueInfoProto(name=name) for name in outputs])


def single_node(model: ModelProto, index: int, values: Mapping[str, Array]) -> ModelProto:
    """One node of a model; whatever it reads is an input with the dtype and shape of `values`, or an initializer."""
    node = model.graph.node[index]
    inputs = [
        helper.make_tensor_value_info(name, helper.np_dtype_to_tensor_dtype(values[name].dtype), values[name].shape)
        for name in inputs_of_node(model, index)
    ]
    return _cut(model, [node], inputs, [onnx.ValueInfoProto(name=name) for name in made_values(node)])


def inputs_of_node(model: ModelProto, index: int) -> list[str]:
    """The names that a node reads and that are not initializers."""
    kept = {tensor.name for tensor in model.graph.initializer}
    return [name for name in used_values(model.graph.node[index]) if name not in kept]


def _cut(model: ModelProto, nodes: Sequence[NodeProto], inputs: Any, outputs: Any) -> ModelProto:
    read = {name for node in nodes for name in used_values(node)}
    kept = [tensor for tensor in model.graph.initializer if tensor.name in read]
    graph = helper.make_graph(nodes, model.graph.name or "linreg", inputs, outputs, kept)
    return helper.make_model(
        graph,
        opset_imports=model.opset_import,
        ir_version=model.ir_version,
        functions=model.functions,
        producer_name="linreg",
    )


def _inner_graphs(node: NodeProto) -> Iterator[GraphProto]:
    for attribute in node.attribute:
        if attribute.HasField("g"):
            yield attribute.g
        yield from attribute.graphs
