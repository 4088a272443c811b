"""Steps compute what the module does, hold the constants of model.onnx, and refuse by name what they cannot express."""

import copy

import numpy as np
import onnx
import pytest
import torch
from onnx import TensorProto, helper, numpy_helper
from torch import nn

from export.formats.onnx import to_onnx
from export.formats.source_code.reading import read_steps
from export.formats.source_code.steps import Elementwise, inputs_of
from export.formats.source_code.trees import MAX_DEPTH, Apply, Function, Repeated, depth_of, functions_of, leaves
from linreg.errors import ExportError
from tests.feed_forward_networks import NETWORKS, exported, source_of
from tests.steps_in_numpy import computed


@pytest.mark.parametrize("name", NETWORKS)
def test_steps_compute_what_the_module_computes(name):
    source, data = exported(name)
    steps = read_steps(data, "c")
    for batch, scale in ((1, 1.0), (5, 3.0)):
        (rows,) = source.random_inputs({"batch": batch}, scale, 7)
        with torch.inference_mode():
            expected = copy.deepcopy(source.module).double()(torch.from_numpy(rows).double()).numpy()
        found = computed(steps, rows)
        assert found.shape == expected.shape
        np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("name", NETWORKS)
def test_constants_are_those_of_the_file(name):
    data = exported(name)[1]
    tensors = {entry.name: numpy_helper.to_array(entry) for entry in onnx.load_from_string(data).graph.initializer}
    for constant in read_steps(data, "c").constants():
        wanted = tensors[constant.name.removesuffix("^T")]
        wanted = wanted.T if constant.name.endswith("^T") else wanted
        assert constant.values.tobytes() == np.ascontiguousarray(wanted).tobytes()
        assert constant.values.flags.c_contiguous


@pytest.mark.parametrize("name", NETWORKS)
def test_a_buffer_is_written_once_before_it_is_read(name):
    steps = read_steps(exported(name)[1], "c")
    written = {0}
    for step in steps.steps:
        assert {tensor.buffer for tensor in inputs_of(step)} <= written
        assert step.output.buffer not in written
        written.add(step.output.buffer)
        if isinstance(step, Elementwise):
            assert depth_of(step.expression) <= MAX_DEPTH
            assert all(tensor.size == step.output.size for tensor in inputs_of(step))
    assert steps.output.buffer in written - {0}


def test_a_long_chain_is_cut_into_steps():
    class Chain(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layer = nn.Linear(2, 2)

        def forward(self, x):
            x = self.layer(x)
            for _ in range(3 * MAX_DEPTH):
                x = torch.tanh(x)
            return x

    steps = read_steps(to_onnx(source_of(Chain(), "x=float32[batch,2]")), "c").steps
    parts = [functions_of(step.expression) for step in steps if isinstance(step, Elementwise)]
    assert [len(part) for part in parts] == [MAX_DEPTH] * 3
    assert {function for part in parts for function in part} == {Function.TANH}


def node_model(*nodes, shape=("batch", 4), outputs=("batch", 4), dtype=TensorProto.FLOAT, constants=(), opset=20):
    entry = helper.make_tensor_value_info("x", dtype, list(shape))
    result = helper.make_tensor_value_info("y", dtype, list(outputs))
    tensors = [numpy_helper.from_array(np.asarray(values), name) for name, values in dict(constants).items()]
    graph = helper.make_graph(list(nodes), "g", [entry], [result], tensors)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)]).SerializeToString()


def test_what_torch_decomposes_may_be_one_operator():
    gelu = node_model(
        helper.make_node("Gelu", ["x"], ["a"], approximate="tanh"),
        helper.make_node("Gelu", ["a"], ["b"]),
        helper.make_node("Clip", ["b", "low"], ["y"]),
        constants={"low": np.float32(0.25)},
    )
    steps = read_steps(gelu, "c")
    (step,) = steps.steps
    assert isinstance(step, Elementwise)
    assert functions_of(step.expression) == (Function.MAXIMUM, Function.GELU, Function.GELU_TANH)
    rows = np.linspace(-3, 3, 8, dtype=np.float32).reshape(2, 4)
    reference = onnx.reference.ReferenceEvaluator(onnx.load_from_string(gelu)).run(None, {"x": rows})[0]
    np.testing.assert_allclose(computed(steps, rows), reference, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize(
    ("own", "shape", "inner", "size"),
    [
        ((3,), (2, 3), 1, 3),
        ((2, 1), (2, 3), 3, 2),
        ((1, 2, 3), (2, 3), 1, 6),
        ((1,), (2, 3), 1, 1),
        ((2, 1, 1), (2, 5, 3), 15, 2),
    ],
)
def test_a_constant_is_repeated_as_numpy_broadcasts_it(own, shape, inner, size):
    values = np.arange(1, 1 + np.prod(own), dtype=np.float32).reshape(own)
    model = node_model(
        helper.make_node("Add", ["x", "k"], ["y"]),
        shape=("batch", *shape),
        outputs=("batch", *shape),
        constants={"k": values},
    )
    steps = read_steps(model, "c")
    (leaf,) = [leaf for leaf in leaves(steps.steps[0].expression) if isinstance(leaf, Repeated)]
    assert (leaf.inner, leaf.constant.values.size) == (inner if size > 1 else leaf.inner, size)
    rows = np.random.default_rng(0).normal(size=(3, *shape)).astype(np.float32)
    np.testing.assert_array_equal(computed(steps, rows), rows.astype(np.float64) + values)


ONE = np.ones(4, np.float32)


def relu(shape=("batch", 4), dtype=TensorProto.FLOAT):
    return node_model(helper.make_node("Relu", ["x"], ["y"]), shape=shape, dtype=dtype)


def one(operator, *constants, **attributes):
    """A model of one node, which takes x and constants."""
    names = [f"k{place}" for place in range(len(constants))]
    node = helper.make_node(operator, ["x", *names], ["y"], name="n", **attributes)
    return node_model(node, constants=dict(zip(names, constants, strict=True)))


TRUTH = node_model(
    helper.make_node("Greater", ["x", "k"], ["b"]), helper.make_node("Cast", ["b"], ["y"], to=1), constants={"k": ONE}
)


@pytest.mark.parametrize(
    ("model", "message"),
    [
        (one("MaxPool", kernel_shape=[2]), "operator MaxPool .*use a Conv1d with a stride"),
        (one("Mish"), "operator Mish .*use SiLU"),
        (one("Cos"), "operator Cos .*use columns with the cosine that are computed before the model, or export"),
        (one("Floor"), r"operator Floor \(node 'n'\) .*one of Linear, Conv1d"),
        (node_model(helper.make_node("MatMul", ["x", "x"], ["y"])), "MatMul .*'x' is not a constant"),
        (one("Softmax", axis=0), "Softmax .*mixes the rows of the batch"),
        (node_model(helper.make_node("Concat", ["x", "x"], ["y"], axis=0)), "Concat .*mixes the rows of the batch"),
        (one("Reshape", np.array([-1, 2])), "mixes the rows"),
        (one("Reshape", np.array([2, -1])), "gives the batch a size"),
        (one("Unsqueeze", np.array([0])), "mixes the rows"),
        (one("Squeeze", np.array([-2])), "mixes the rows"),
        (one("Add", np.ones((2, 4), np.float32)), "broadcasts 'k0'"),
        (one("Add", ONE * np.nan), "NaN or infinite"),
        (one("Identity"), "returns its input"),
        (one("Gemm", np.eye(4, dtype=np.float32), alpha=2.0), "has transA, alpha or beta"),
        (relu(shape=(2, 4)), "leave out --static"),
        (relu(shape=("batch", "n")), "--static n"),
        (relu(dtype=TensorProto.FLOAT16), "dtype float16, expected float32"),
        (TRUTH, "operator Cast .* cannot be written"),
    ],
)
def test_what_cannot_be_written_is_refused_by_name(model, message):
    with pytest.raises(ExportError, match=f"^c: .*{message}") as caught:
        read_steps(model, "c")
    assert "\n" not in str(caught.value)


def test_the_operator_that_matters_is_named_before_what_torch_puts_around_it():
    model = onnx.load_from_string(one("LSTM", ONE))
    model.graph.node.insert(0, helper.make_node("Shape", ["x"], ["s"]))
    with pytest.raises(ExportError, match=r"operator LSTM .*use a Linear or Conv1d over a window"):
        read_steps(model.SerializeToString(), "c")


@pytest.mark.parametrize("limits", [(-0.5, 0.5), (1.0, 0.5)])
def test_a_lower_limit_above_the_upper_one_gives_way(limits):
    low, high = (np.array(limit, np.float32) for limit in limits)
    steps = read_steps(one("Clip", low, high), "c")
    rows = np.array([[-2, 0, 0.75, 2]], np.float32)
    np.testing.assert_array_equal(computed(steps, rows), np.minimum(np.maximum(rows, low), high))
    (step,) = steps.steps
    assert step.expression.arguments[1].value == min(limits)


def test_several_inputs_are_refused():
    model = onnx.load_from_string(node_model(helper.make_node("Relu", ["x"], ["y"])))
    model.graph.input.append(helper.make_tensor_value_info("z", TensorProto.FLOAT, ["batch", 4]))
    with pytest.raises(ExportError, match="has 2 inputs and 1 output, expected one of each"):
        read_steps(model.SerializeToString(), "js")


def test_conditions_stand_in_where_alone():
    for name in NETWORKS:
        for step in read_steps(exported(name)[1], "c").steps:
            if isinstance(step, Elementwise):
                check_conditions(step.expression)


def check_conditions(expression):
    if isinstance(expression, Apply):
        for place, argument in enumerate(expression.arguments):
            if isinstance(argument, Apply) and argument.function in (Function.GREATER, Function.LESS):
                assert (expression.function, place) == (Function.WHERE, 0)
            check_conditions(argument)
