"""Rename the inputs and outputs of an ONNX graph, even if inner values already have the new names."""

from collections.abc import Iterator, Sequence

from onnx import GraphProto, NodeProto, helper


def name_ends(graph: GraphProto, inputs: Sequence[str], outputs: Sequence[str]) -> None:
    """Rename the inputs and outputs of a graph, in place.

    torch names values after their operators, so an inner value may already have one of the new names; it is then
    renamed. A parameter that is also an output keeps its state_dict key as its name.

    Args:
        graph: a graph whose values, including those of inner graphs, have distinct names.
        inputs: the new names of the inputs, in order.
        outputs: the new names of the outputs, in order, distinct from those of the inputs.
    """
    fixed = {entry.name for entry in (*graph.initializer, *graph.input)}
    for output in graph.output:
        if output.name in fixed:
            copied = _free(f"{output.name}_output", {*_names(graph), *inputs, *outputs})
            graph.node.append(helper.make_node("Identity", [output.name], [copied]))
            output.name = copied
        fixed.add(output.name)
    old = [entry.name for entry in (*graph.input, *graph.output)]
    renamed = dict(zip(old, [*inputs, *outputs], strict=True))
    taken = {*_names(graph), *renamed.values()}
    for name in sorted(_names(graph) - set(old)):
        if name in renamed.values():
            renamed[name] = _free(f"{name}_inside", taken)
            taken.add(renamed[name])
    _rename(graph, renamed)


def _rename(graph: GraphProto, renamed: dict[str, str]) -> None:
    for entry in (*graph.input, *graph.output, *graph.initializer):
        entry.name = renamed.get(entry.name, entry.name)
    for node in graph.node:
        node.input[:] = [renamed.get(name, name) for name in node.input]
        node.output[:] = [renamed.get(name, name) for name in node.output]
        for inner in _inner_graphs(node):
            _rename(inner, renamed)


def _names(graph: GraphProto) -> set[str]:
    """Return the names of all values in a graph and its inner graphs, without the '' of omitted arguments."""
    names = {entry.name for entry in (*graph.input, *graph.output, *graph.initializer)}
    for node in graph.node:
        names |= {*node.input, *node.output}
        for inner in _inner_graphs(node):
            names |= _names(inner)
    return names - {""}


def _inner_graphs(node: NodeProto) -> Iterator[GraphProto]:
    """Yield the inner graphs of a node, such as the branches of an If or the body of a loop."""
    for attribute in node.attribute:
        if attribute.HasField("g"):
            yield attribute.g
        yield from attribute.graphs


def _free(wanted: str, taken: set[str]) -> str:
    """Return the name, with a number appended if it is taken."""
    name, number = wanted, 2
    while name in taken:
        name, number = f"{wanted}_{number}", number + 1
    return name
