"""Plant a fault in one node of an ONNX model: another operator, attribute, weight, or order of inputs."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial

import numpy as np
from onnx import AttributeProto, ModelProto, TensorProto, numpy_helper

OTHER_OPERATORS = {
    "Add": "Sub",
    "Sub": "Add",
    "Mul": "Div",
    "Div": "Mul",
    "Relu": "LeakyRelu",
    "Tanh": "Sigmoid",
    "Sigmoid": "Tanh",
    "Softmax": "LogSoftmax",
    "ReduceMean": "ReduceMax",
    "ReduceSum": "ReduceMean",
    "Greater": "Less",
    "Erf": "Tanh",
}
CHANGED_INSIDE = ("Tanh", "Relu", "Mul")
"""Operators that are changed in an inner graph. If a loop counted wrongly, it would not end."""

COMMUTATIVE = {"Add", "Mul", "Max", "Min", "And", "Or", "Equal"}


@dataclass(frozen=True, kw_only=True)
class Fault:
    """A fault that can be planted.

    Attributes:
        kind: what is changed: `operator`, `attribute`, `order of inputs`, `weight`, `weight set to 0`, `one bit`,
            `constant` or `inner graph`.
        index: place of the node.
        name: name of the node.
        plant: changes a model in place.
    """

    kind: str
    index: int
    name: str
    plant: Callable[[ModelProto], None]


def planted(model: ModelProto, fault: Fault) -> ModelProto:
    """A copy of a model with a fault."""
    copy = ModelProto()
    copy.CopyFrom(model)
    fault.plant(copy)
    return copy


def possible_faults(model: ModelProto) -> Iterator[Fault]:
    """Every fault that this file can plant in a model."""
    tensors = {tensor.name: tensor for tensor in model.graph.initializer}
    read: set[str] = set()
    for index, node in enumerate(model.graph.node):
        fault = partial(Fault, index=index, name=node.name)
        if node.op_type in OTHER_OPERATORS:
            yield fault(kind="operator", plant=partial(_change_operator, index))
        for place, attribute in enumerate(node.attribute):
            if attribute.type == AttributeProto.GRAPH:
                yield fault(kind="inner graph", plant=partial(_change_inner, index, place))
            elif attribute.type in (AttributeProto.INT, AttributeProto.FLOAT, AttributeProto.INTS):
                yield fault(kind="attribute", plant=partial(_change_attribute, index, place))
        if len(node.input) > 1 and node.input[0] != node.input[1] and node.op_type not in COMMUTATIVE:
            yield fault(kind="order of inputs", plant=partial(_swap_inputs, index))
        for name in node.input:
            if name not in tensors or name in read or not numpy_helper.to_array(tensors[name]).size:
                continue
            read.add(name)  # a later node that reads the same tensor is not the first wrong one
            if tensors[name].data_type == TensorProto.FLOAT:
                for kind, change in (("weight", _larger), ("weight set to 0", _zero), ("one bit", _next)):
                    yield fault(kind=kind, plant=partial(_change_element, name, change))
            elif tensors[name].data_type == TensorProto.INT64:
                yield fault(kind="constant", plant=partial(_change_element, name, _more))


def _change_operator(index: int, model: ModelProto) -> None:
    node = model.graph.node[index]
    node.op_type = OTHER_OPERATORS[node.op_type]


def _change_attribute(index: int, place: int, model: ModelProto) -> None:
    attribute = model.graph.node[index].attribute[place]
    if attribute.type == AttributeProto.FLOAT:
        attribute.f = attribute.f * 1.5 + 1e-3
    elif attribute.type == AttributeProto.INT:
        attribute.i = 1 - attribute.i if attribute.i in (0, 1) else attribute.i + 1
    elif list(attribute.ints) != list(attribute.ints)[::-1]:
        attribute.ints[:] = list(attribute.ints)[::-1]
    else:
        attribute.ints[0] += 1


def _change_inner(index: int, place: int, model: ModelProto) -> None:
    nodes = model.graph.node[index].attribute[place].g.node
    node = next(node for kind in CHANGED_INSIDE for node in nodes if node.op_type == kind)
    node.op_type = OTHER_OPERATORS[node.op_type]


def _swap_inputs(index: int, model: ModelProto) -> None:
    node = model.graph.node[index]
    node.input[0], node.input[1] = node.input[1], node.input[0]


def _change_element(name: str, change: Callable[[np.generic], object], model: ModelProto) -> None:
    """Change the element of largest magnitude, so that the fault has an effect."""
    tensor = next(entry for entry in model.graph.initializer if entry.name == name)
    values = np.array(numpy_helper.to_array(tensor)).reshape(-1)
    place = int(np.abs(values).argmax())
    values[place] = change(values[place])
    tensor.CopyFrom(numpy_helper.from_array(values.reshape(tuple(tensor.dims)), name))


def _larger(value: np.generic) -> object:
    return value * np.float32(1.001) if value else np.float32(0.001)


def _zero(value: np.generic) -> object:
    return np.float32(0) if value else np.float32(1)


def _next(value: np.generic) -> object:
    return np.nextafter(value, np.float32(np.inf))


def _more(value: np.generic) -> object:
    return value + 1
