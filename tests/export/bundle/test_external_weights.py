"""An ONNX model beyond the limit of one file keeps its weights in model.onnx.data; here the limit is a few kB."""

import hashlib
import shutil

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from torch import nn

import linreg
from bench.plan.subject import Subject
from bench.plan.variants import Device, Kind, cpu_variants
from bench.worker.building import build
from export.formats.external_data import external_tensors, read_external_data
from export.formats.external_writer import ExternalWriter
from export.inspection.inspect import inspect_file
from export.runners.deployed import OnnxModel
from linreg.errors import MismatchError, ModelError
from linreg.manifest import read_manifest
from tests.conftest import forge

INPUT = "x=float32[batch,40]"
MODEL, WEIGHTS = "model.onnx", "model.onnx.data"
NETS = {
    "affine": lambda: nn.Linear(40, 30),
    "relu": lambda: nn.Sequential(nn.Linear(40, 30), nn.ReLU(), nn.Linear(30, 20)),
}


def lowered(patch):
    patch.setattr("export.formats.external_writer.SINGLE_FILE_BYTES", 3000)


def made(name):
    torch.manual_seed(3)
    return NETS[name]()


@pytest.fixture(scope="module", params=NETS)
def exported(request, tmp_path_factory):
    """A module, and its bundle with a second file."""
    folder = tmp_path_factory.mktemp("external") / request.param
    net = made(request.param)
    with pytest.MonkeyPatch.context() as patch:
        lowered(patch)
        linreg.export(net, folder, inputs=INPUT, budget=None if request.param == "affine" else "1s")
    return net, folder


@pytest.fixture
def bundle(exported, tmp_path):
    """A copy of the bundle that a test may change."""
    shutil.copytree(exported[1], tmp_path / "net")
    return tmp_path / "net"


def test_weights_are_written_once_and_listed(exported):
    net, folder = exported
    model, weights = (folder / MODEL).read_bytes(), (folder / WEIGHTS).read_bytes()
    digest = hashlib.sha256(weights).hexdigest()
    assert read_manifest(folder).entry(WEIGHTS).sha256 == digest
    assert f"{digest}  {WEIGHTS}\n" in (folder / "SHA256SUMS").read_text()
    assert digest.encode() in model, "the model names its second file by content"
    large = [value.numpy().tobytes() for value in net.state_dict().values() if value.nbytes >= 1024]
    assert all(weights.count(value) == 1 and value not in model for value in large)
    assert len(weights) < sum(map(len, large)) + 64 * len(large)


def test_the_table_shows_the_size_of_both_files(linreg, monkeypatch, tmp_path):
    lowered(monkeypatch)
    (tmp_path / "wide.py").write_text("from torch import nn\n\ndef make_net():\n    return nn.Linear(40, 30)\n")
    shown = linreg("export", "--module", tmp_path / "wide.py:make_net", "--input", INPUT, "-o", tmp_path / "net")
    size = sum((tmp_path / "net" / name).stat().st_size for name in (MODEL, WEIGHTS))
    assert f" {size:,} B " in shown.out


def test_onnx_and_onnxruntime_read_both_files(exported):
    net, folder = exported
    onnx.checker.check_model(str(folder / MODEL), full_check=True)
    rows = np.random.default_rng(1).standard_normal((5, 40), dtype=np.float32)
    session = onnxruntime.InferenceSession(str(folder / MODEL), providers=["CPUExecutionProvider"])
    (found,) = session.run(None, {"x": rows})
    np.testing.assert_allclose(found, net(torch.from_numpy(rows)).detach().numpy(), rtol=1e-5, atol=1e-5)


def test_the_second_file_counts_for_the_limit_of_two_sessions(monkeypatch, tmp_path):
    torch.manual_seed(2)
    net = nn.Sequential(nn.Linear(40, 30), nn.ReLU(), nn.Linear(30, 20))
    monkeypatch.setattr("export.formats.external_writer.SINGLE_FILE_BYTES", 1000)
    size = 4 * sum(value.numel() for value in net.state_dict().values())
    for limit, levels in ((size - 1, ["all"]), (2 * size, ["all", "disabled"])):
        monkeypatch.setattr("export.proof.optimisation.MAX_BYTES", limit)
        bundle = linreg.export(net, tmp_path / str(limit), inputs="x=float32[batch,40]", formats=["onnx"])
        assert (bundle.path / MODEL).stat().st_size < size - 1
        assert bundle.manifest.entry(MODEL).proof["optimisation"] == levels


def test_every_weight_is_proved_from_disk(exported):
    net, folder = exported
    proof = read_manifest(folder).entry(MODEL).proof
    assert proof["parameters_kept"] == len(net.state_dict())
    assert proof["worst_error"] <= 1


@pytest.mark.parametrize("ours", [True, False], ids=["here", "child"])
def test_a_bundle_is_verified_again(exported, tmp_path, monkeypatch, ours):
    if not ours:
        monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    (row,) = linreg.verify(exported[1]).rows
    assert row.worst_error <= 1


def test_a_wrong_weight_in_the_second_file_is_refused_by_the_export(tmp_path, monkeypatch):
    write = ExternalWriter.write

    class OneBit:
        def __init__(self, stream):
            self.stream = stream

        def write(self, data):
            changed = bytearray(data)
            if len(changed) > 1024:
                changed[40] ^= 1
            return self.stream.write(bytes(changed))

    lowered(monkeypatch)
    monkeypatch.setattr(ExternalWriter, "write", lambda self, stream: write(self, OneBit(stream)))
    with pytest.raises(MismatchError, match="differs from the state_dict"):
        linreg.export(made("relu"), tmp_path / "net", inputs=INPUT, budget="1s")
    assert not any((tmp_path / "net" / name).exists() for name in (MODEL, WEIGHTS))


def test_a_small_model_stays_in_one_file(exported, bundle):
    linreg.export(exported[0], bundle, inputs=INPUT)
    assert not (bundle / WEIGHTS).exists()
    assert read_manifest(bundle).entry(WEIGHTS) is None
    assert not external_tensors(MODEL, (bundle / MODEL).read_bytes())
    linreg.verify(bundle)


def test_another_model_removes_both_files(bundle):
    linreg.export(nn.Linear(3, 2), bundle, inputs="x=float32[batch,3]", formats="torchscript", force=True)
    assert not (bundle / MODEL).exists() and not (bundle / WEIGHTS).exists()


def test_changed_weights_are_a_mismatch(linreg, bundle):
    data = bytearray((bundle / WEIGHTS).read_bytes())
    data[100] ^= 1
    (bundle / WEIGHTS).write_bytes(data)
    assert "model.onnx.data: has sha256" in linreg("verify", bundle).failure(3)
    forge(bundle, model_onnx_data=bytes(data))
    assert "is not the file that model.onnx was exported with" in linreg("verify", bundle).failure(3)


def test_missing_weights_are_a_mismatch(linreg, bundle):
    (bundle / WEIGHTS).unlink()
    assert "model.onnx.data: is listed in the manifest, but is missing" in linreg("verify", bundle).failure(3)


def test_unlisted_weights_are_a_mismatch(linreg, bundle):
    (bundle / "model.float16.onnx.data").write_bytes(b"x")
    assert "model.float16.onnx.data: is an artifact that the manifest does not list" in (
        linreg("verify", bundle).failure(3)
    )


def test_inspect_shows_the_parameters_and_where_they_are(bundle):
    found = inspect_file(bundle / MODEL)
    assert "in another file" in found.facts["external_data"]
    assert [40, 30] in [sorted(entry["shape"], reverse=True) for entry in found.parameters]


@pytest.mark.parametrize("kind", [Kind.ONNXRUNTIME_RUN, Kind.ONNXRUNTIME_IO_BINDING])
def test_a_row_of_a_benchmark_reads_the_second_file(exported, kind):
    net, folder = exported
    variant = next(entry for entry in cpu_variants() if entry.kind is kind)
    runner = build(variant, Subject(path=str(folder)), folder, device=Device.CPU, threads=1)
    rows = np.ones((3, 40), np.float32)
    np.testing.assert_allclose(
        runner.bind((rows,)).outputs()[0], net(torch.from_numpy(rows)).detach().numpy(), rtol=1e-5, atol=1e-5
    )


def reference(folder, **texts):
    """Make a linear model with named columns whose weights are where `texts` say."""
    weight = onnx.TensorProto(name="w", data_type=1, dims=[1, 3], data_location=onnx.TensorProto.EXTERNAL)
    for key, value in ({"location": WEIGHTS, "offset": "4", "length": "12"} | texts).items():
        if value is not None:
            weight.external_data.add(key=key, value=value)
    helper = onnx.helper
    graph = helper.make_graph(
        [helper.make_node("Gemm", ["x", "w"], ["y"], transB=1)],
        "g",
        [helper.make_tensor_value_info("x", 1, ["batch", 3])],
        [helper.make_tensor_value_info("y", 1, ["batch", 1])],
        [weight],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=8)
    helper.set_model_props(model, {"linreg.features": '["a", "b", "c"]', "linreg.target": '"t"'})
    (folder / MODEL).write_bytes(model.SerializeToString())
    (folder / WEIGHTS).write_bytes(np.array([9, 1, 10, 100], np.float32).tobytes())
    return folder / MODEL


def test_predict_reads_the_second_file(linreg, tmp_path):
    (tmp_path / "table.csv").write_text("a,b,c\n1,2,3\n")
    path = reference(tmp_path)
    assert linreg("predict", tmp_path / "table.csv", "-m", path).out.splitlines()[-1].endswith("321")


@pytest.mark.parametrize(
    ("texts", "message"),
    [
        ({"location": "../model.onnx.data"}, "only 'model.onnx.data' beside it is accepted"),
        ({"location": "./model.onnx.data"}, "only 'model.onnx.data' beside it is accepted"),
        ({"location": "/etc/hostname"}, "only 'model.onnx.data' beside it is accepted"),
        ({"location": "other.data"}, "only 'model.onnx.data' beside it is accepted"),
        ({"location": "model.onnx.data\0x"}, "only 'model.onnx.data' beside it is accepted"),
        ({"location": "*/_ORT_MEM_ADDR_/*"}, "only 'model.onnx.data' beside it is accepted"),
        ({"offset": "8"}, "which has 16"),
        ({"offset": "-4"}, "not a whole number"),
        ({"offset": "0x4"}, "not a whole number"),
        ({"length": "16"}, "expected those of its shape"),
        ({"length": None}, "expected location, offset and length"),
        ({"checksum": "x"}, "expected location, offset and length"),
    ],
)
def test_weights_anywhere_else_are_refused(tmp_path, texts, message):
    path = reference(tmp_path, **texts)
    with pytest.raises(ModelError, match=message):
        OnnxModel.open(path)
    with pytest.raises(ModelError, match=message):
        read_external_data(path, path.read_bytes())


def test_a_link_is_not_followed(tmp_path):
    path = reference(tmp_path)
    (tmp_path / WEIGHTS).rename(tmp_path / "elsewhere")
    with pytest.raises(ModelError, match="is missing"):
        OnnxModel.open(path)
    (tmp_path / WEIGHTS).symlink_to(tmp_path / "elsewhere")
    with pytest.raises(ModelError, match="symbolic link"):
        OnnxModel.open(path)


def test_a_key_that_is_given_twice_is_refused(tmp_path):
    path = reference(tmp_path)
    model = onnx.load_model_from_string(path.read_bytes())
    model.graph.initializer[0].external_data.add(key="location", value="other")
    path.write_bytes(model.SerializeToString())
    with pytest.raises(ModelError, match="repeated key"):
        OnnxModel.open(path)
