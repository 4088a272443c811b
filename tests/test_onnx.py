import json

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from onnx.reference import ReferenceEvaluator
from torch import nn

from export.onnx import to_onnx
from export.runners import onnxruntime_runner
from export.source import from_checkpoint
from export.verify import verify
from linreg.checkpoint import load
from tests.test_verify import source_of


@pytest.fixture(scope="module")
def model(penguins):
    return onnx.load_model_from_string(to_onnx(from_checkpoint(load(penguins))))


def test_opset_and_the_lowest_ir_that_it_allows(model):
    assert [(entry.domain, entry.version) for entry in model.opset_import] == [("", 18)]
    assert model.ir_version == 8


def test_one_gemm_with_a_symbolic_batch(model):
    assert [node.op_type for node in model.graph.node] == ["Gemm"]
    (entry,), (output,) = model.graph.input, model.graph.output
    assert [entry.name, output.name] == ["input", "output"]
    assert entry.type.tensor_type.shape.dim[0].dim_param == "batch"
    assert output.type.tensor_type.shape.dim[0].dim_param == "batch"
    assert entry.type.tensor_type.shape.dim[1].dim_value == 3


def test_parameters_are_bit_equal_to_the_state_dict(model, penguins):
    state = load(penguins).model.state_dict()
    kept = {tensor.name: onnx.numpy_helper.to_array(tensor) for tensor in model.graph.initializer}
    assert {key: value.tobytes() for key, value in kept.items()} == {
        key: value.numpy().tobytes() for key, value in state.items()
    }


def test_metadata_names_the_columns(model):
    texts = {entry.key: json.loads(entry.value) for entry in model.metadata_props}
    assert texts["linreg.features"] == ["bill_length_mm", "bill_depth_mm", "flipper_length_mm"]
    assert texts["linreg.target"] == "body_mass_g"


def test_onnxs_own_evaluator_gives_the_same(model):
    x = (np.random.default_rng(4).standard_normal((50, 3)) * 100).astype(np.float32)
    (expected,) = ReferenceEvaluator(model).run(None, {"input": x})
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    (got,) = session.run(None, {"input": x})
    magnitude = np.abs(x) @ np.abs(onnx.numpy_helper.to_array(model.graph.initializer[0])).T + 1e4
    assert (np.abs(got - expected) <= 14 * 2.0**-24 * magnitude).all()


@settings(max_examples=200, deadline=None)
@given(
    features=st.integers(1, 400),
    outputs=st.integers(1, 3),
    bias=st.booleans(),
    double=st.booleans(),
    scale=st.sampled_from([1e-30, 1e-3, 1.0, 1e6]),
    seed=st.integers(0, 2**31),
)
def test_no_good_export_is_refused(features, outputs, bias, double, scale, seed):
    torch.manual_seed(seed)
    module = nn.Linear(features, outputs, bias=bias, dtype=torch.float64 if double else torch.float32)
    with torch.no_grad():
        module.weight.mul_(scale)
    source = source_of(module)
    result = verify(onnxruntime_runner("model.onnx", to_onnx(source)), source)
    assert result.worst_error <= 1
