"""The expression that an elementwise node of an ONNX graph computes."""

from collections.abc import Set

import onnx

from export.formats.source_code.graph import attributes_of, refused, uses_in
from export.formats.source_code.reader import Reader
from export.formats.source_code.trees import Apply, Expression, Function, Number

DIRECT = {
    "Add": Function.ADD,
    "Sub": Function.SUBTRACT,
    "Mul": Function.MULTIPLY,
    "Div": Function.DIVIDE,
    "Pow": Function.POWER,
    "Max": Function.MAXIMUM,
    "Min": Function.MINIMUM,
    "Greater": Function.GREATER,
    "Less": Function.LESS,
    "Where": Function.WHERE,
    "Neg": Function.NEGATE,
    "Abs": Function.ABSOLUTE,
    "Reciprocal": Function.RECIPROCAL,
    "Sqrt": Function.SQUARE_ROOT,
    "Exp": Function.EXP,
    "Log": Function.LOG,
    "Erf": Function.ERF,
    "Tanh": Function.TANH,
    "Sigmoid": Function.SIGMOID,
    "Softplus": Function.SOFTPLUS,
    "Relu": Function.RELU,
}
ARITY = dict.fromkeys(("Add", "Sub", "Mul", "Div", "Pow", "Max", "Min", "Greater", "Less"), 2) | {"Where": 3}
SLOPED = {"LeakyRelu": (Function.LEAKY_RELU, 0.01), "Elu": (Function.ELU, 1.0)}
ELEMENTWISE = DIRECT.keys() | SLOPED.keys() | {"Gelu", "Clip", "BatchNormalization"}


def inlined_names(graph: onnx.GraphProto) -> Set[str]:
    """The names of the values that one node reads once, and that node is elementwise."""
    uses = uses_in(graph)
    read = {name for node in graph.node if node.op_type in ELEMENTWISE for name in node.input}
    return {name for name in read if uses[name] == 1}


def expression_of(reader: Reader, node: onnx.NodeProto, shape: tuple[int, ...]) -> Apply:
    """The expression of a node whose output has a shape.

    Raises:
        ExportError: the node takes inputs that cannot be written.
    """
    name, options = node.op_type, attributes_of(node)
    if name == "BatchNormalization":
        return _batch_norm(reader, node, shape, float(options.get("epsilon", 1e-5)))
    count = ARITY.get(name, 1)
    given = [place for place, used in enumerate(node.input) if used]
    if name in DIRECT and given == list(range(count)):
        arguments = tuple(reader.operand(node, place, shape) for place in range(count))
        return Apply(function=DIRECT[name], arguments=arguments)
    if name == "Clip" and given == [0, 1, 2]:
        value, least, most = (reader.operand(node, place, shape) for place in given)
        return Apply(function=Function.CLIP, arguments=(value, _smaller(least, most), most))
    if name == "Clip" and given in ([0, 1], [0, 2]):
        function = Function.MAXIMUM if given == [0, 1] else Function.MINIMUM
        return Apply(function=function, arguments=tuple(reader.operand(node, place, shape) for place in given))
    if name in SLOPED:
        function, default = SLOPED[name]
        slope = Number(value=float(reader.dtype.type(options.get("alpha", default))))
        return Apply(function=function, arguments=(reader.operand(node, 0, shape), slope))
    if name == "Gelu":
        function = Function.GELU_TANH if options.get("approximate") == "tanh" else Function.GELU
        return Apply(function=function, arguments=(reader.operand(node, 0, shape),))
    raise refused(reader.kind, node, "has inputs or attributes that are not supported")


def _smaller(least: Expression, most: Expression) -> Expression:
    """The smaller of two limits: where the lower one lies above the upper one, the upper one holds."""
    if isinstance(least, Number) and isinstance(most, Number):
        return min(least, most, key=lambda number: number.value)
    return Apply(function=Function.MINIMUM, arguments=(least, most))


def _batch_norm(reader: Reader, node: onnx.NodeProto, shape: tuple[int, ...], epsilon: float) -> Apply:
    """(x - mean) / sqrt(variance + epsilon) * scale + bias by channel, which is the first axis of a row."""
    constants = [reader.constant(node, place) for place in range(1, 5)]
    wide = (*shape[:1], *(1 for _ in shape[1:]))
    scale, bias, mean, variance = (reader.repeated(node, constant, wide, shape) for constant in constants)
    added = Number(value=float(reader.dtype.type(epsilon)))
    deviation = Apply(
        function=Function.SQUARE_ROOT, arguments=(Apply(function=Function.ADD, arguments=(variance, added)),)
    )
    centred = Apply(function=Function.SUBTRACT, arguments=(reader.operand(node, 0, shape), mean))
    unit = Apply(function=Function.DIVIDE, arguments=(centred, deviation))
    scaled = Apply(function=Function.MULTIPLY, arguments=(unit, scale))
    return Apply(function=Function.ADD, arguments=(scaled, bias))
