"""An ONNX model in onnxruntime: outputs follow from the weights, whatever the layout of the inputs."""

import numpy as np
import onnx
import pytest
from onnx import numpy_helper

from export.runners.onnxruntime import onnxruntime_runner
from linreg.errors import ModelError

ROWS = np.arange(21, dtype=np.float32).reshape(7, 3)


@pytest.fixture
def model(penguins):
    return (penguins / "model.onnx").read_bytes()


def by_hand(model):
    weight, bias = map(numpy_helper.to_array, onnx.load_model_from_string(model).graph.initializer)
    return ROWS.astype(np.float64) @ weight.astype(np.float64).T + bias


@pytest.mark.parametrize("io_binding", [False, True])
def test_outputs_are_those_of_the_weights(model, io_binding):
    (answers,) = onnxruntime_runner("net", model, io_binding=io_binding).bind((ROWS,)).outputs()
    np.testing.assert_allclose(answers, by_hand(model), rtol=1e-5)


@pytest.mark.parametrize("array", [ROWS.astype(">f4"), np.asfortranarray(ROWS), ROWS.repeat(2, 0)[::2]])
def test_every_layout_of_an_array_gives_the_same_outputs(model, array):
    (answers,) = onnxruntime_runner("net", model).bind((array,)).outputs()
    np.testing.assert_allclose(answers, by_hand(model), rtol=1e-5)


def test_a_later_change_of_the_array_does_not_reach_a_call(model):
    rows = ROWS.copy()
    call = onnxruntime_runner("net", model).bind((rows,))
    (before,) = call.outputs()
    rows += 1
    assert call.outputs()[0].tobytes() == before.tobytes()


def test_parameters_are_those_of_the_file(model):
    found = onnxruntime_runner("net", model).parameters()
    assert {name: array.shape for name, array in found.items()} == {
        "linear_layer.weight": (1, 3),
        "linear_layer.bias": (1,),
    }


@pytest.mark.parametrize("data", [b"", b"no model", b"\x08\x08"])
def test_what_is_no_model_is_one_line(data):
    with pytest.raises(ModelError, match=r"^net: onnxruntime cannot load it: [^\n]+$"):
        onnxruntime_runner("net", data)


def test_an_operator_that_onnxruntime_has_not_for_a_dtype_is_refused_with_what_to_do():
    value = onnx.helper.make_tensor_value_info("x", onnx.TensorProto.BFLOAT16, [2, 2])
    output = onnx.helper.make_tensor_value_info("y", onnx.TensorProto.BFLOAT16, [2, 2])
    graph = onnx.helper.make_graph([onnx.helper.make_node("Gemm", ["x", "x"], ["y"])], "bf16", [value], [output])
    model = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 18)], ir_version=8)
    with pytest.raises(ModelError, match=r"NOT_IMPLEMENTED.*; it has no such operator for this dtype: export .*pt2$"):
        onnxruntime_runner("net", model.SerializeToString())
