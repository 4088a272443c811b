"""Check the ONNX graph of an affine model: one Gemm with the names and coefficients of its card, and nothing else.

Test vectors are only samples. They miss a Gather and a Where before the Gemm that change one row in a million, and they
miss a reordered list of features. This check rejects both.
"""

import json
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from linreg.card import Card
from linreg.errors import MismatchError

DEFAULT_ATTRIBUTES = {"alpha": 1.0, "beta": 1.0, "transA": 0}
TRANSPOSED = "transB"


def check_affine_graph(name: str, data: bytes, card: Card) -> None:
    """Check that an ONNX file is the model that a card describes, with the names in the card.

    Args:
        name: name of the file, used in messages.
        data: bytes of the file.
        card: card of the bundle.

    Raises:
        MismatchError: the file differs.
    """
    values, count = [entry["value"] for entry in card.coefficients], len(card.features)
    weights, bias = values[:count], values[count : count + card.bias]
    if len(values) != count + card.bias:
        raise MismatchError(f"{name}: its card lists {len(values)} coefficients for {count} features; export again")
    _check(name, data, lambda model: _problem(model, weights, bias) or _names_problem(model, card))


def check_affine_weights(name: str, data: bytes, weights: Sequence[float], bias: Sequence[float]) -> None:
    """Check an ONNX file against the weights of an affine model that has no card and hence no column names.

    Args:
        name: name of the file, used in messages.
        data: bytes of the file.
        weights: weights of the features.
        bias: the bias; empty if the model has none.

    Raises:
        MismatchError: the file differs.
    """
    _check(name, data, lambda model: _problem(model, weights, bias))


def _check(name: str, data: bytes, find_problem: Callable[[Any], str]) -> None:
    import onnx

    try:
        problem = find_problem(onnx.load_model_from_string(data))
    except Exception as error:  # protobuf and NumPy raise classes of their own
        problem = f"cannot be parsed as ONNX ({type(error).__name__})"
    if problem:
        raise MismatchError(f"{name}: {problem}; an affine model is one Gemm with the names in its card; export again")


def _problem(model: Any, weights: Sequence[float], bias: Sequence[float]) -> str:
    graph = model.graph
    nodes = [node.op_type for node in graph.node]
    if nodes != ["Gemm"] or graph.node[0].domain or model.functions or model.training_info:
        return f"has the operators {', '.join(nodes[:8])[:200]}{' and functions' if model.functions else ''}"
    if [entry.domain for entry in model.opset_import] != [""]:
        return "uses operators from other domains"
    if any(tensor.data_location == tensor.EXTERNAL for tensor in graph.initializer):
        return "stores its weights in another file"
    node, tensors = graph.node[0], {tensor.name: tensor for tensor in graph.initializer}
    parameters = list(node.input)[1:]
    if len(graph.input) != 1 or len(graph.output) != 1 or graph.sparse_initializer or graph.quantization_annotation:
        return "has other inputs, outputs or weights"
    if node.input[0] != graph.input[0].name or list(node.output) != [graph.output[0].name]:
        return "has a Gemm that does not connect its input to its output"
    if sorted(tensors) != sorted(parameters) or len(tensors) != len(graph.initializer):
        return "has weights that its Gemm does not use"
    if not _is_plain(node):
        return "has a Gemm with attributes other than transB = 1"
    return _coefficients_problem([_array(tensors[key]) for key in parameters], weights, bias)


def _is_plain(node: Any) -> bool:
    import onnx

    given = {attribute.name: onnx.helper.get_attribute_value(attribute) for attribute in node.attribute}
    return given.pop(TRANSPOSED, 0) == 1 and all(DEFAULT_ATTRIBUTES.get(key) == value for key, value in given.items())


def _names_problem(model: Any, card: Card) -> str:
    texts = {entry.key: entry.value for entry in model.metadata_props}
    if len(texts) != len(model.metadata_props):
        return "has duplicate keys in its metadata"
    if json.loads(texts.get("linreg.features", "null")) != list(card.features):
        return "names features that differ from its card, or in another order"
    if json.loads(texts.get("linreg.target", "null")) != card.target:
        return "names a target that differs from its card"
    if "linreg.ranges" in texts and json.loads(texts["linreg.ranges"]) != [list(ends) for ends in card.ranges]:
        return "has ranges of features that differ from its card"
    return ""


def _coefficients_problem(arrays: list[NDArray[Any]], weights: Sequence[float], bias: Sequence[float]) -> str:
    """Return how a file's coefficients differ from the model's after rounding to the file's precision; '' if equal."""
    values = np.array([*weights, *bias], np.float64)
    shapes = [array.shape for array in arrays]
    if shapes != [(1, len(weights)), (1,)][: 1 + len(bias)]:
        return f"has weights of shapes {shapes}, expected those of {len(weights)} features"
    with np.errstate(over="ignore"):
        wanted = values.astype(arrays[0].dtype)
    found = np.concatenate([array.reshape(-1) for array in arrays])
    return "" if found.tobytes() == wanted.tobytes() else "has coefficients that differ from its card"


def _array(tensor: Any) -> NDArray[Any]:
    from onnx import numpy_helper

    return np.asarray(numpy_helper.to_array(tensor))
