"""Compute ONNX nodes in float64 with onnx's reference evaluator, and the error that rounding alone explains."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import ModelProto, NodeProto, TensorProto, helper, numpy_helper
from onnx.reference import ReferenceEvaluator

from export.bisection.cuts import made_values, used_values
from export.formats.quiet import reason
from export.proof.allowed_error import OWN_ERRORS
from export.proof.comparison import ExpectedOutput
from export.proof.oracle import PERTURBED_RUNS
from linreg.errors import ExportError

Array = NDArray[Any]

NARROW = (TensorProto.FLOAT, TensorProto.FLOAT16, TensorProto.BFLOAT16)
OF_UNIT_RANGE = frozenset({"Sigmoid", "Tanh", "Erf", "Gelu", "LSTM", "GRU", "RNN", "HardSwish", "Mish", "Softmax"})
"""Operators whose functions runtimes approximate to an absolute error."""

FUNCTION_UNITS = 16
"""Units of rounding by which a result of these may be off, relative to the larger of 1 and the largest result."""

EXACT_BELOW = 2.0**20
"""Multiples of one half below this are exact in a float32 network, and are not perturbed."""


class ExactGraph:
    """The nodes of a trusted ONNX model, in float64. It runs in this process, so the model must be made here."""

    def __init__(self, model: ModelProto) -> None:
        self.nodes = list(model.graph.node)
        self.initializers = {tensor.name: numpy_helper.to_array(tensor) for tensor in model.graph.initializer}
        self._dtypes = _dtypes(model)
        self._evaluators = [_evaluator(model, node) for node in self.nodes]

    def values(self, inputs: Mapping[str, Array], count: int) -> dict[str, Array]:
        """All values of the first `count` nodes, each computed in float64 and rounded once to its dtype in the file."""
        wide = {name: _widened(array) for name, array in {**self.initializers, **inputs}.items()}
        for index in range(count):
            wide |= self._run(index, wide)
        rounded = dict(inputs)
        with np.errstate(over="ignore"):
            for node in self.nodes[:count]:
                rounded |= {
                    name: wide[name].astype(self._dtypes.get(name, wide[name].dtype)) for name in made_values(node)
                }
        return rounded

    def expected(self, index: int, values: Mapping[str, Array]) -> dict[str, ExpectedOutput]:
        """The outputs of one node for the given inputs, and the error allowed for each element.

        The allowed error is four times the largest movement of the element in several runs whose inputs are perturbed
        by two units of rounding at random, plus four units of the largest element.

        Args:
            index: place of the node.
            values: what the node reads, in the dtypes of the file; initializers are the model's own.
        """
        node = self.nodes[index]
        given = {name: values[name] for name in used_values(node) if name not in self.initializers}
        given |= {name: self.initializers[name] for name in used_values(node) if name in self.initializers}
        exact = self._run(index, {name: _widened(array) for name, array in given.items()})
        moved = {name: np.zeros(array.shape) for name, array in exact.items()}
        for seed in range(PERTURBED_RUNS):
            generator = np.random.default_rng(seed)
            perturbed = self._run(
                index, {name: _perturbed(array, self._unit(name, array), generator) for name, array in given.items()}
            )
            for name, array in exact.items():
                moved[name] = np.maximum(moved[name], _distance(perturbed[name], array))
        return {name: self._expected(node, name, array, moved[name]) for name, array in exact.items()}

    def throughout(self, inputs: Mapping[str, Array]) -> dict[str, ExpectedOutput]:
        """All values of the graph, with the errors allowed where the rounding of all earlier nodes adds up."""
        exact = self._all({name: _widened(array) for name, array in {**self.initializers, **inputs}.items()}, None)
        moved = {name: np.zeros(array.shape) for name, array in exact.items()}
        for seed in range(PERTURBED_RUNS):
            perturbed = self._all({**self.initializers, **inputs}, np.random.default_rng(seed))
            for name, array in exact.items():
                moved[name] = np.maximum(moved[name], _distance(perturbed[name], array))
        return {
            name: self._expected(node, name, exact[name], moved[name])
            for node in self.nodes
            for name in made_values(node)
        }

    def _all(self, values: Mapping[str, Array], generator: np.random.Generator | None) -> dict[str, Array]:
        wide = dict(values)
        made: dict[str, Array] = {}
        for index, node in enumerate(self.nodes):
            given = {name: wide[name] for name in used_values(node)}
            if generator is not None:
                given = {name: _perturbed(array, self._unit(name, array), generator) for name, array in given.items()}
            found = self._run(index, given)
            wide |= found
            made |= found
        return made

    def _unit(self, name: str, array: Array) -> float:
        """The unit of rounding of a value's dtype in the file."""
        dtype = np.dtype(self._dtypes.get(name, array.dtype))
        return float(np.finfo(dtype).eps) if dtype.kind == "f" else 0.0

    def _expected(self, node: NodeProto, name: str, exact: Array, moved: Array) -> ExpectedOutput:
        dtype = np.dtype(self._dtypes.get(name, exact.dtype))
        if dtype.kind != "f":
            allowed = np.where(moved > 0, np.inf, 0.0)
            return ExpectedOutput(values=exact, allowed=allowed, any_class=moved > 0, eager=exact.astype(dtype))
        limits = np.finfo(dtype)
        finite = exact[np.isfinite(exact)]
        largest = float(np.abs(finite).max(initial=0.0))
        units = OWN_ERRORS * largest + (FUNCTION_UNITS * max(1.0, largest) if node.op_type in OF_UNIT_RANGE else 0.0)
        allowed = OWN_ERRORS * moved + units * float(limits.eps) + float(limits.tiny)
        beyond = np.abs(exact) + allowed > float(limits.max)
        with np.errstate(over="ignore"):
            return ExpectedOutput(values=exact, allowed=allowed, any_class=beyond, eager=exact.astype(dtype))

    def _run(self, index: int, values: Mapping[str, Array]) -> dict[str, Array]:
        node = self.nodes[index]
        try:
            with np.errstate(all="ignore"):
                found = self._evaluators[index].run(None, {name: values[name] for name in used_values(node)})
        except Exception as error:  # the evaluator raises whatever NumPy does
            raise ExportError(
                f"node {node.name or index} ({node.op_type}) cannot be computed in float64 by onnx "
                f"{onnx.__version__}: {reason(error)}; nothing is known about it"
            ) from error
        return {name: _widened(np.asarray(array)) for name, array in zip(made_values(node), found, strict=True)}


def _evaluator(model: ModelProto, node: NodeProto) -> ReferenceEvaluator:
    """The evaluator of one node, whose casts and constants are in float64."""
    wide = NodeProto()
    wide.CopyFrom(node)
    _widen(wide)
    graph = helper.make_graph(
        [wide],
        "node",
        [onnx.ValueInfoProto(name=name) for name in used_values(node)],
        [onnx.ValueInfoProto(name=name) for name in made_values(node)],
    )
    return ReferenceEvaluator(helper.make_model(graph, opset_imports=model.opset_import, functions=model.functions))


def _widen(node: NodeProto) -> None:
    for attribute in node.attribute:
        if node.op_type == "Cast" and attribute.name == "to" and attribute.i in NARROW:
            attribute.i = TensorProto.DOUBLE
        if attribute.HasField("t") and attribute.t.data_type in NARROW:
            attribute.t.CopyFrom(numpy_helper.from_array(_widened(numpy_helper.to_array(attribute.t))))
        for inner in (*([attribute.g] if attribute.HasField("g") else ()), *attribute.graphs):
            for tensor in inner.initializer:
                if tensor.data_type in NARROW:
                    tensor.CopyFrom(numpy_helper.from_array(_widened(numpy_helper.to_array(tensor)), tensor.name))
            for part in inner.node:
                _widen(part)


def _dtypes(model: ModelProto) -> dict[str, Any]:
    """The dtype of every value whose type onnx infers."""
    graph = onnx.shape_inference.infer_shapes(model).graph
    return {
        entry.name: helper.tensor_dtype_to_np_dtype(entry.type.tensor_type.elem_type)
        for entry in (*graph.value_info, *graph.output, *graph.input)
        if entry.type.tensor_type.elem_type
    }


def _widened(array: Array) -> Array:
    return array.astype(np.float64) if array.dtype.kind == "f" or array.dtype.name == "bfloat16" else array


def _perturbed(array: Array, unit: float, generator: np.random.Generator) -> Array:
    """The array in float64, each element that is not exact moved by zero or two units of rounding."""
    if array.dtype.kind != "f":
        return array
    wide: Array = array.astype(np.float64)
    exact = (np.abs(wide) < EXACT_BELOW) & (np.round(2 * wide) == 2 * wide)
    moved: Array = wide * (1 + 2 * unit * generator.integers(0, 2, wide.shape))
    return np.where(exact, wide, moved)


def _distance(one: Array, other: Array) -> Array:
    if one.shape != other.shape:
        return np.full(other.shape, np.inf)
    if other.dtype.kind != "f":
        differs: Array = np.not_equal(one, other).astype(np.float64)
        return differs
    with np.errstate(invalid="ignore"):
        distance: Array = np.abs(one - other)
    return np.where(np.isfinite(distance), distance, 0.0)
