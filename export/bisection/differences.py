"""The first node in which two ONNX graphs differ: operator, attributes, edges, initializers or functions."""

from collections.abc import Mapping
from dataclasses import dataclass

from onnx import FunctionProto, GraphProto, ModelProto, NodeProto, TensorProto, helper, numpy_helper

from export.bisection.cuts import used_values

Functions = Mapping[tuple[str, str], FunctionProto]
"""The functions of a model, by domain and name."""


@dataclass(frozen=True, kw_only=True)
class Difference:
    """Where a file differs from a fresh export.

    Attributes:
        index: place of the node in topological order.
        what: the difference, for messages.
    """

    index: int
    what: str


def first_difference(found: ModelProto, fresh: ModelProto) -> Difference | None:
    """The first node of `found` that differs from the node at the same place in `fresh`; None if the graphs are equal.

    The names of values and of nodes are compared as well: torch gives them in the same order in every export.
    """
    kept, wanted = _initializers(found.graph), _initializers(fresh.graph)
    bodies, expected = _functions(found), _functions(fresh)
    for index, (node, other) in enumerate(zip(found.graph.node, fresh.graph.node, strict=False)):
        what = (
            _node_difference(node, other)
            or _initializer_difference(used_values(node), kept, wanted)
            or _function_difference(node, bodies, expected)
        )
        if what:
            return Difference(index=index, what=what)
    one, two = len(found.graph.node), len(fresh.graph.node)
    if one != two:
        return Difference(index=min(one, two, one - 1), what=f"the graph has {one} nodes, and a fresh export {two}")
    outputs = [[entry.name for entry in model.graph.output] for model in (found, fresh)]
    if outputs[0] != outputs[1]:
        return Difference(
            index=one - 1, what=f"the graph's outputs are {outputs[0]}, and a fresh export has {outputs[1]}"
        )
    return None


def _node_difference(node: NodeProto, other: NodeProto) -> str:
    if (node.domain, node.op_type) != (other.domain, other.op_type):
        return f"the operator is {node.op_type}, and {other.op_type} in a fresh export"
    for kind, names, wanted in (("inputs", node.input, other.input), ("outputs", node.output, other.output)):
        if list(names) != list(wanted):
            return f"the {kind} are {', '.join(names)}, and {', '.join(wanted)} in a fresh export"
    attributes = {entry.name: entry for entry in node.attribute}
    expected = {entry.name: entry for entry in other.attribute}
    for name in sorted(attributes.keys() | expected.keys()):
        one, two = attributes.get(name), expected.get(name)
        if one is None or two is None:
            return f"the attribute {name} is missing in {'the file' if one is None else 'a fresh export'}"
        if one.SerializeToString(deterministic=True) != two.SerializeToString(deterministic=True):
            values = [helper.printable_attribute(entry)[:80] for entry in (one, two)]
            return f"the attribute is {values[0]}, and {values[1]} in a fresh export"
    return ""


def _initializer_difference(names: list[str], kept: dict[str, TensorProto], wanted: dict[str, TensorProto]) -> str:
    for name in names:
        one, two = kept.get(name), wanted.get(name)
        if (one is None) != (two is None):
            return f"{name} is {'no' if one is None else 'an'} initializer, unlike in a fresh export"
        if one is not None and two is not None and (what := _tensor_difference(one, two)):
            return f"the initializer {name} {what}"
    return ""


def _tensor_difference(one: TensorProto, two: TensorProto) -> str:
    """How two tensors differ in bits; empty if they do not."""
    if TensorProto.EXTERNAL in (one.data_location, two.data_location):
        return "" if one == two else "is stored outside the file"
    if (one.data_type, list(one.dims)) != (two.data_type, list(two.dims)):
        return f"has another dtype or shape {list(one.dims)}, and {list(two.dims)} in a fresh export"
    a, b = numpy_helper.to_array(one), numpy_helper.to_array(two)
    if a.tobytes() == b.tobytes():
        return ""
    differs = [place for place in range(a.size) if a.reshape(-1)[place].tobytes() != b.reshape(-1)[place].tobytes()]
    first = differs[0]
    return (
        f"differs in {len(differs)} of {a.size} elements, first in element {first}: "
        f"{a.reshape(-1)[first]!s}, and {b.reshape(-1)[first]!s} in a fresh export"
    )


def _function_difference(node: NodeProto, bodies: Functions, expected: Functions) -> str:
    """How the functions differ that a node calls, directly or in another function; empty if they do not."""
    called, place = [(node.domain, node.op_type)], 0
    while place < len(called):
        one, two = bodies.get(called[place]), expected.get(called[place])
        if (one is None) != (two is None):
            return f"{called[place][1]} is {'no' if one is None else 'a'} function, unlike in a fresh export"
        if one is not None and two is not None:
            if one.SerializeToString(deterministic=True) != two.SerializeToString(deterministic=True):
                return f"the function {called[place][1]} differs from that in a fresh export"
            called += [key for part in one.node if (key := (part.domain, part.op_type)) not in called]
        place += 1
    return ""


def _functions(model: ModelProto) -> Functions:
    return {(function.domain, function.name): function for function in model.functions}


def _initializers(graph: GraphProto) -> dict[str, TensorProto]:
    return {tensor.name: tensor for tensor in graph.initializer}
