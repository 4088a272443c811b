"""Rename the inputs and outputs of an ONNX graph, without clashes with the values inside it."""

from collections.abc import Iterator, Sequence

from onnx import GraphProto, NodeProto, helper


def name_ends(graph: GraphProto, inputs: Sequence[str], outputs: Sequence[str]) -> None:
    """Rename the inputs and outputs of a graph, in place.

    torch names values after operators; an inner value that has a requested name is renamed. A parameter that is also
    an output keeps its state_dict key.

    Args:
        graph: graph whose values, including those of nested graphs, have unique names.
        inputs: new name of each input, in order.
        outputs: new name of each output, in order; all names must be distinct.
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
    """Names of all values in a graph and its nested graphs, without '', which marks an omitted argument."""
    names = {entry.name for entry in (*graph.input, *graph.output, *graph.initializer)}
    for node in graph.node:
        names |= {*node.input, *node.output}
        for inner in _inner_graphs(node):
            names |= _names(inner)
    return names - {""}


def _inner_graphs(node: NodeProto) -> Iterator[GraphProto]:
    """The branches of an If and the bodies of loops."""
    for attribute in node.attribute:
        if attribute.HasField("g"):
            yield attribute.g
        yield from attribute.graphs


def _free(wanted: str, taken: set[str]) -> str:
    """`wanted`, or the first `wanted_N` that is not taken."""
    name, number = wanted, 2
    while name in taken:
        name, number = f"{wanted}_{number}", number + 1
    return name
