"""The steps of the layers of a network: Gemm, MatMul, Conv, LayerNormalization, Softmax and Concat."""

import onnx

from export.formats.source_code.graph import attributes_of, refused
from export.formats.source_code.reader import Reader
from export.formats.source_code.steps import Concat, Conv1d, Dense, LayerNorm, Softmax
from export.formats.source_code.trees import Constant, Tensor


def gemm(reader: Reader, node: onnx.NodeProto) -> None:
    """Add a `Dense` for a Gemm."""
    given, options = reader.tensor(node), attributes_of(node)
    if options.get("transA") or options.get("alpha", 1.0) != 1 or options.get("beta", 1.0) != 1:
        raise refused(reader.kind, node, "has transA, alpha or beta")
    weight = reader.constant(node, 1, transposed=not options.get("transB"))
    bias = reader.constant(node, 2) if len(node.input) > 2 and node.input[2] else None
    if bias is not None and bias.values.size != len(weight.values):
        raise refused(reader.kind, node, f"broadcasts a bias of {bias.values.shape}")
    _dense(reader, node, given, weight, bias)


def matmul(reader: Reader, node: onnx.NodeProto) -> None:
    """Add a `Dense` for a MatMul with a constant."""
    given, weight = reader.tensor(node), reader.constant(node, 1, transposed=True)
    if weight.values.ndim != 2:
        raise refused(reader.kind, node, f"has a constant of shape {weight.values.shape}")
    _dense(reader, node, given, weight, None)


def _dense(reader: Reader, node: onnx.NodeProto, given: Tensor, weight: Constant, bias: Constant | None) -> None:
    if not given.shape:
        raise refused(reader.kind, node, "mixes the rows of the batch")
    output = reader.output(node, (*given.shape[:-1], len(weight.values)))
    reader.steps.append(Dense(input=given, output=output, weight=weight, bias=bias))


def conv(reader: Reader, node: onnx.NodeProto) -> None:
    """Add a `Conv1d`."""
    given, weight, options = reader.tensor(node), reader.constant(node, 1), attributes_of(node)
    if weight.values.ndim != 3:
        raise refused(
            reader.kind,
            node,
            f"has {weight.values.ndim - 2} axes, expected Conv1d, or a Linear over the flattened tensor",
        )
    if options.get("auto_pad", "NOTSET") not in ("NOTSET", "VALID"):
        raise refused(reader.kind, node, f"has auto_pad {options['auto_pad']}")
    stride, dilation = options.get("strides", [1])[0], options.get("dilations", [1])[0]
    before, after = options.get("pads", [0, 0])
    reach = dilation * (weight.values.shape[2] - 1) + 1
    length = (given.shape[1] + before + after - reach) // stride + 1
    reader.steps.append(
        Conv1d(
            input=given,
            output=reader.output(node, (len(weight.values), length)),
            weight=weight,
            bias=reader.constant(node, 2) if len(node.input) > 2 and node.input[2] else None,
            stride=stride,
            padding=before,
            dilation=dilation,
            groups=options.get("group", 1),
        )
    )


def layer_norm(reader: Reader, node: onnx.NodeProto) -> None:
    """Add a `LayerNorm`."""
    given, scale, options = reader.tensor(node), reader.constant(node, 1), attributes_of(node)
    if any(node.output[1:]):
        raise refused(reader.kind, node, "has several outputs")
    axis = options.get("axis", -1)
    normalised = given.shape[axis if axis < 0 else axis - 1 :]
    if axis == 0 or -axis > len(given.shape) or scale.values.shape != normalised:
        raise refused(reader.kind, node, f"normalises {normalised} with a scale of {scale.values.shape}")
    bias = reader.constant(node, 2) if len(node.input) > 2 and node.input[2] else None
    epsilon = float(reader.dtype.type(options.get("epsilon", 1e-5)))
    output = reader.output(node, given.shape)
    reader.steps.append(LayerNorm(input=given, output=output, scale=scale, bias=bias, epsilon=epsilon))


def _axis(reader: Reader, node: onnx.NodeProto, given: Tensor, default: int) -> int:
    axis = attributes_of(node).get("axis", default)
    axis = axis - 1 if axis >= 0 else axis + len(given.shape)
    if not 0 <= axis < len(given.shape):
        raise refused(reader.kind, node, "mixes the rows of the batch")
    return int(axis)


def softmax(reader: Reader, node: onnx.NodeProto) -> None:
    """Add a `Softmax`."""
    given = reader.tensor(node)
    axis = _axis(reader, node, given, -1)
    reader.steps.append(Softmax(input=given, output=reader.output(node, given.shape), axis=axis))


def concat(reader: Reader, node: onnx.NodeProto) -> None:
    """Add a `Concat`."""
    given = tuple(reader.tensor(node, place) for place in range(len(node.input)))
    axis = _axis(reader, node, given[0], 0)
    shape = list(given[0].shape)
    shape[axis] = sum(tensor.shape[axis] for tensor in given)
    reader.steps.append(Concat(inputs=given, output=reader.output(node, tuple(shape)), axis=axis))
