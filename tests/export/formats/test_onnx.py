import json
from itertools import pairwise

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st
from onnx.reference import ReferenceEvaluator
from torch import nn

from export.formats.capture import capture
from export.formats.onnx import dynamo_model, gemm_model, serialise, to_onnx
from export.precision import ExportPrecision
from export.proof.verify import verify
from export.runners.onnxruntime import onnxruntime_runner
from export.source.inputs import Input
from export.source.module_source import from_module
from export.source.source import from_checkpoint
from export.source.user_module import parse_input
from linreg.checkpoint import load
from linreg.errors import ExportError
from tests import nets


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
    assert texts["linreg.inputs"] == [{"dtype": "float32", "name": "input", "shape": ["batch", 3]}]


def test_onnxs_own_evaluator_gives_the_same(model):
    x = (np.random.default_rng(4).standard_normal((50, 3)) * 100).astype(np.float32)
    (expected,) = ReferenceEvaluator(model).run(None, {"input": x})
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    (got,) = session.run(None, {"input": x})
    magnitude = np.abs(x) @ np.abs(onnx.numpy_helper.to_array(model.graph.initializer[0])).T + 1e4
    assert (np.abs(got - expected) <= 14 * 2.0**-24 * magnitude).all()


@pytest.mark.slow
@settings(max_examples=200, deadline=None, derandomize=True)
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
    dtype = np.dtype("float64" if double else "float32")
    source = from_module(module, [Input(name="x", dtype=dtype, shape=("batch", features))])
    result = verify(onnxruntime_runner("model.onnx", to_onnx(source)), source)
    assert result.worst_error <= 1


def linear_source(features=3, outputs=2, *, bias=True, **options):
    torch.manual_seed(7)
    module = nn.Linear(features, outputs, bias=bias)
    return from_module(module, [parse_input(f"x=float32[batch,{features}]")], **options)


@pytest.mark.parametrize("bias", [True, False], ids=["bias", "no-bias"])
def test_the_gemm_way_and_the_dynamo_way_are_equal_on_affine_modules(bias):
    """The same parameters bit for bit, and the same bytes out."""
    source = linear_source(13, 3, bias=bias)
    ours = serialise(gemm_model(source, 18), source, 18)
    torchs = serialise(dynamo_model(source, 18, capture(source)), source, 18)
    first, second = onnxruntime_runner("gemm", ours), onnxruntime_runner("dynamo", torchs)
    kept, exported = first.parameters(), second.parameters()
    state = {key: value.numpy().tobytes() for key, value in source.module.state_dict().items()}
    assert {key: value.tobytes() for key, value in kept.items()} == state
    if bias:  # without a bias torch writes a MatMul with the weight transposed
        assert {key: exported[key].tobytes() for key in state} == state
    for batch in (1, 2, 7, 64, 4096, 0):
        inputs = source.random_inputs({"batch": batch}, 100.0, batch)
        (one,), (other,) = first.bind(inputs).outputs(), second.bind(inputs).outputs()
        assert one.shape == other.shape == (batch, 3)
        if bias:
            assert one.tobytes() == other.tobytes()
        np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-2)


@pytest.mark.slow
@settings(max_examples=20, deadline=None, derandomize=True)
@given(
    sizes=st.lists(st.integers(1, 24), min_size=2, max_size=5),
    activation=st.sampled_from([nn.ReLU, nn.Tanh, nn.GELU, nn.Sigmoid]),
    norm=st.booleans(),
    seed=st.integers(0, 2**31),
)
# A LayerNorm over two or three numbers divides by almost nothing in a few rows of 4096: there eager's error is luck.
@example(sizes=[1, 21, 2, 3, 2], activation=nn.ReLU, norm=True, seed=1)
@example(sizes=[2, 3, 2, 2], activation=nn.GELU, norm=True, seed=1611331038)
def test_no_good_export_through_dynamo_is_refused(sizes, activation, norm, seed):
    torch.manual_seed(seed)
    layers = []
    for before, after in pairwise(sizes):
        layers += [nn.Linear(before, after), activation(), *([nn.LayerNorm(after)] if norm else [])]
    source = from_module(nn.Sequential(*layers), [parse_input(f"x=float32[batch,{sizes[0]}]")])
    result = verify(onnxruntime_runner("model.onnx", to_onnx(source)), source)
    assert result.worst_error <= 1


@pytest.mark.parametrize(("opset", "ir"), [(13, 7), (15, 8), (17, 8), (18, 8), (19, 9), (20, 9), (21, 10), (26, 13)])
def test_the_opset_asked_with_the_lowest_ir_that_it_allows(opset, ir):
    source = linear_source()
    data = to_onnx(source, opset=opset)
    model = onnx.load_model_from_string(data)
    assert [(entry.domain, entry.version) for entry in model.opset_import] == [("", opset)]
    assert model.ir_version == ir
    assert verify(onnxruntime_runner("model.onnx", data), source).worst_error <= 1


@pytest.fixture(scope="module")
def conv():
    source = from_module(nets.make(nets.ConvNet), [parse_input("x=float32[batch,3,8,8]")])
    return source, capture(source)


def test_an_opset_that_torch_does_not_write_is_refused(conv):
    source, program = conv
    with pytest.raises(ExportError, match="torch wrote opset 18, expected 13; use --opset 18"):
        to_onnx(source, opset=13, program=program)


def test_what_torch_writes_is_stripped(conv):
    source, program = conv
    model = onnx.load_model_from_string(to_onnx(source, program=program))
    assert not model.graph.value_info
    assert not model.graph.metadata_props
    assert not any(node.metadata_props or node.doc_string for node in model.graph.node)
    assert {entry.key for entry in model.metadata_props} == {"linreg.inputs", "linreg.outputs", "linreg.state_sha256"}
    assert (model.producer_name, model.producer_version) == ("linreg", "")
    assert model.ir_version == 8


def test_names_are_those_asked_for():
    towers = [parse_input(text) for text in nets.INPUTS[nets.TwoTowers]]
    default = onnx.load_model_from_string(to_onnx(from_module(nets.make(nets.TwoTowers), towers)))
    assert [entry.name for entry in default.graph.input] == ["user", "item"]
    assert [entry.name for entry in default.graph.output] == ["sum", "score"]
    named = from_module(nets.make(nets.TwoTowers), towers, input_names=["u", "i"], output_names=["s", "t"])
    model = onnx.load_model_from_string(to_onnx(named))
    assert [entry.name for entry in model.graph.input] == ["u", "i"]
    assert [entry.name for entry in model.graph.output] == ["s", "t"]
    single = onnx.load_model_from_string(to_onnx(linear_source(input_names=["rows"], output_names=["price"])))
    assert [single.graph.input[0].name, single.graph.output[0].name] == ["rows", "price"]


def test_static_asks_for_a_fixed_shape():
    for source, shape in [
        (linear_source(static=True), [1, 3]),
        (from_module(nets.make(nets.Mlp), [parse_input("x=float32[8,16]")], static=True), [8, 16]),
    ]:
        model = onnx.load_model_from_string(to_onnx(source))
        assert [axis.dim_value for axis in model.graph.input[0].type.tensor_type.shape.dim] == shape


@pytest.mark.parametrize("precision", [ExportPrecision.FLOAT16, ExportPrecision.FLOAT64])
def test_another_precision_is_verified_with_its_own_bound(precision):
    for features in (1, 13, 300):
        source = linear_source(features, precision=precision)
        data = to_onnx(source)
        result = verify(onnxruntime_runner("model.onnx", data), source)
        assert 0 < result.worst_error <= 1
        dtype = onnx.helper.tensor_dtype_to_np_dtype(onnx.load_model_from_string(data).graph.initializer[0].data_type)
        assert dtype == np.dtype(precision.value)


def test_bfloat16_is_refused_with_the_reason():
    with pytest.raises(ExportError, match=r"onnxruntime's CPU provider has no bfloat16 Gemm"):
        linear_source(precision=ExportPrecision("bfloat16"))
