"""The shipped vectors: onnx's own runner passes on them, faults do not, and no torch is needed."""

import shutil
import unittest

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import numpy_helper
from onnx.backend.base import Backend, BackendRep
from onnx.backend.test import BackendTest
from onnx.backend.test.loader import load_model_tests
from onnx.reference import ReferenceEvaluator

from export.bundle.vectors import check_vectors, read_vectors
from export.formats.names import RUNTIME_FORMATS, Format
from export.runners.load import load_artifact
from export.runners.onnxruntime import onnxruntime_runner
from export.runners.trust import Trust
from linreg.errors import MismatchError, ModelError


def test_the_cases_are_batches_1_7_4096_0_and_special_rows(penguins):
    vectors = list(read_vectors(penguins))
    assert [len(case.inputs[0]) for case in vectors] == [1, 7, 4096, 0, 16]
    for case in vectors:
        assert case.outputs[0].dtype == np.float32
        assert case.allowed[0].dtype == np.float64
        assert case.outputs[0].shape == case.allowed[0].shape == (len(case.inputs[0]), 1)
    assert np.isnan(vectors[4].outputs[0]).any()


def test_tensors_are_named_as_the_graphs_inputs_and_outputs(penguins):
    tensor = onnx.TensorProto.FromString((penguins / "test_data_set_0" / "input_0.pb").read_bytes())
    assert tensor.name == "input"
    tensor = onnx.TensorProto.FromString((penguins / "test_data_set_0" / "output_0.pb").read_bytes())
    assert tensor.name == "output"


def test_allowed_is_the_bound_of_float32_and_onnxruntimes_own_error(penguins):
    """Recomputed in float64 from the file alone."""
    graph = onnx.load(penguins / "model.onnx").graph
    weight, bias = (numpy_helper.to_array(tensor).astype(np.float64) for tensor in graph.initializer)
    case = list(read_vectors(penguins))[2]
    x = case.inputs[0].astype(np.float64)
    exact = x @ weight.T + bias
    bound = 7 * 2.0**-24 * (np.abs(x) @ np.abs(weight).T + np.abs(bias))
    own = np.abs(case.outputs[0] - exact)
    assert (own <= bound).all()
    np.testing.assert_allclose(case.allowed[0], bound + own, rtol=1e-6)


class OnnxRuntimeRep(BackendRep):
    def __init__(self, model):
        self.session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])

    def run(self, inputs, **_):
        return self.session.run(None, {self.session.get_inputs()[0].name: inputs[0]})


class EvaluatorRep(BackendRep):
    def __init__(self, model):
        self.evaluator = ReferenceEvaluator(model)

    def run(self, inputs, **_):
        return self.evaluator.run(None, {self.evaluator.input_names[0]: inputs[0]})


def backend(rep, answered):
    """A backend of onnx's kind; the models that it was asked to run go to `answered`."""

    class Ours(Backend):
        @classmethod
        def prepare(cls, model, device="CPU", **_):
            answered.append(model.graph.name)
            return rep(model)

        @classmethod
        def supports_device(cls, device):
            return device == "CPU"

    return Ours


@pytest.mark.parametrize("rep", [OnnxRuntimeRep, EvaluatorRep], ids=["onnxruntime", "reference-evaluator"])
def test_onnxs_own_loader_and_runner_pass(penguins, tmp_path, rep, monkeypatch):
    """Special rows are kept from the evaluator: NumPy warns of them, and onnx's own tests have none."""
    shutil.copytree(penguins, tmp_path / "simple" / "test_penguins")
    if rep is EvaluatorRep:
        shutil.rmtree(tmp_path / "simple" / "test_penguins" / "test_data_set_4")
    (case,) = load_model_tests(data_dir=str(tmp_path), kind="simple")
    assert case.rtol == 1e-3
    assert 0 < case.atol < 0.1, "read from data.json"

    # The runner adds every test of onnx's own; here it finds ours alone.
    monkeypatch.setattr("onnx.backend.test.runner.load_model_tests", lambda kind: [case] if kind == "simple" else [])
    answered = []
    runner = BackendTest(backend(rep, answered), "tests.export.bundle.test_vectors")
    result = unittest.TestResult()
    runner.include("test_penguins_cpu").test_suite.run(result)
    assert (result.failures, result.errors) == ([], [])
    assert [case.id().rpartition(".")[2] for case, _ in result.skipped] == ["test_penguins_cuda"]
    assert answered, "the runner asked our backend"


@pytest.mark.parametrize("kind", RUNTIME_FORMATS)
def test_every_format_passes_the_vectors(penguins, kind):
    from export.formats.names import file_name

    path = penguins / file_name(kind)
    result = check_vectors(load_artifact(kind, path.name, path.read_bytes(), Trust.MADE_HERE), penguins)
    assert result.cases == 5
    assert result.worst_error <= 1
    assert result.bytes_equal == (kind is Format.ONNX)


def changed(bundle, change):
    model = onnx.load(bundle / "model.onnx")
    weight, bias = model.graph.initializer
    arrays = [numpy_helper.to_array(weight).copy(), numpy_helper.to_array(bias).copy()]
    change(*arrays)
    for tensor, array in zip((weight, bias), arrays, strict=True):
        tensor.CopyFrom(numpy_helper.from_array(array, tensor.name))
    return onnxruntime_runner("model.onnx", model.SerializeToString())


def swap(weight, bias):
    weight[:] = weight[:, ::-1].copy()


def drop(weight, bias):
    bias[:] = 0


def permille(weight, bias):
    weight[0, 1] *= 1.001


def to_nan(weight, bias):
    bias[:] = np.nan


@pytest.mark.parametrize("fault", [swap, drop, permille, to_nan], ids=lambda fault: fault.__name__)
def test_planted_faults_fail_the_vectors(bundle, fault):
    with pytest.raises(MismatchError, match=r"model.onnx: test_data_set_0: output at"):
        check_vectors(changed(bundle, fault), bundle)


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (
            lambda folder: (folder / "test_data_set_0" / "output_0.pb").write_bytes(b"\x08\x02junk"),
            "is not a TensorProto",
        ),
        (lambda folder: (folder / "test_data_set_1" / "allowed_0.pb").unlink(), "no such file"),
        (lambda folder: [shutil.rmtree(place) for place in folder.glob("test_data_set_*")], "has no test_data_set_0"),
        (
            lambda folder: shutil.copy(
                folder / "test_data_set_0" / "allowed_0.pb", folder / "test_data_set_1" / "allowed_0.pb"
            ),
            "is incomplete",
        ),
    ],
    ids=["junk", "missing", "none", "other-shape"],
)
def test_damaged_vectors_are_named(bundle, damage, message):
    (bundle / "manifest.json").unlink()
    damage(bundle)
    runner = onnxruntime_runner("model.onnx", (bundle / "model.onnx").read_bytes())
    with pytest.raises((ModelError, Exception), match=message):
        check_vectors(runner, bundle)


def test_vectors_are_compared_with_the_manifest(bundle):
    shutil.copy(bundle / "test_data_set_1" / "input_0.pb", bundle / "test_data_set_0" / "input_0.pb")
    runner = onnxruntime_runner("model.onnx", (bundle / "model.onnx").read_bytes())
    with pytest.raises(MismatchError, match=r"test_data_set_0/input_0\.pb: has sha256"):
        check_vectors(runner, bundle)
