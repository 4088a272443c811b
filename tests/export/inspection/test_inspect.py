"""What inspect says of files, and that it runs nothing of them."""

import io
import json
import pickle
import zipfile
from pathlib import Path

import onnx
import pytest
import torch

from export.inspection.inspect import inspect_file
from linreg.errors import ModelError


def test_onnx(penguins):
    found = inspect_file(penguins / "model.onnx")
    assert found.kind == "onnx"
    assert found.bytes == (penguins / "model.onnx").stat().st_size
    assert found.inputs == [{"name": "input", "dtype": "float32", "shape": ["batch", 3]}]
    assert found.outputs == [{"name": "output", "dtype": "float32", "shape": ["batch", 1]}]
    assert (found.facts["opset"], found.facts["ir_version"]) == (18, 8)
    assert found.operators == {"Gemm": 1}
    assert found.metadata["linreg.target"] == "body_mass_g"
    assert {entry["name"]: entry["shape"] for entry in found.parameters} == {
        "linear_layer.weight": [1, 3],
        "linear_layer.bias": [1],
    }


@pytest.mark.parametrize("name", ["model.torchscript", "model.traced.torchscript"])
def test_torchscript(penguins, name):
    found = inspect_file(penguins / name)
    assert found.kind == "torchscript"
    assert found.inputs == [{"name": "input", "dtype": "float32", "shape": ["batch", 3]}]
    assert found.operators == {"linear": 1}
    assert found.facts["class"] == "__torch__.linreg.models.LinearRegressionModelV2"
    assert found.facts["forward"] == "(x: Tensor) -> Tensor"
    assert found.facts["debug_records"] == 0
    assert found.metadata["features"][0] == "bill_length_mm"


def test_torchscript_of_others(tmp_path):
    torch.jit.script(torch.nn.Sequential(torch.nn.Linear(4, 2), torch.nn.ReLU())).save(str(tmp_path / "net.pt"))
    found = inspect_file(tmp_path / "net.pt")
    assert found.kind == "torchscript"
    assert found.facts["debug_records"] > 0
    assert found.inputs == []
    assert found.metadata == {}


def test_pt2(penguins):
    found = inspect_file(penguins / "model.pt2")
    assert found.kind == "pt2"
    (entry,) = found.inputs
    assert (entry["dtype"], entry["shape"][1]) == ("float32", 3)
    assert isinstance(entry["shape"][0], str)
    assert found.operators == {"aten.linear.default": 1}
    assert {entry["name"] for entry in found.parameters} == {"linear_layer.weight", "linear_layer.bias"}
    assert "torch_version" not in found.facts


def test_a_state_dict(penguins):
    found = inspect_file(penguins / "model.pth")
    assert found.kind == "state_dict"
    assert found.parameters == [
        {"name": "linear_layer.weight", "dtype": "float32", "shape": [1, 3]},
        {"name": "linear_layer.bias", "dtype": "float32", "shape": [1]},
    ]


def test_the_contents_decide_and_not_the_name(penguins, tmp_path):
    for name in ("model.onnx", "model.torchscript", "model.pt2", "model.pth"):
        (tmp_path / "file").write_bytes((penguins / name).read_bytes())
        assert inspect_file(tmp_path / "file").kind == inspect_file(penguins / name).kind


class Evil:
    def __reduce__(self):
        return Path.touch, (Path("PWNED"),)


def with_evil_pickles(data: bytes) -> bytes:
    """The archive with every pickle in it replaced by one that makes a file."""
    target = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(data)) as source, zipfile.ZipFile(target, "w") as archive:
        for name in source.namelist():
            evil = name.endswith((".pkl", "model.pt"))
            archive.writestr(name, pickle.dumps(Evil()) if evil else source.read(name))
    return target.getvalue()


@pytest.mark.parametrize("name", ["model.torchscript", "model.pt2", "model.pth"])
def test_nothing_is_run(penguins, tmp_path, monkeypatch, name):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(torch.jit, "load", lambda *_, **__: pytest.fail("torch.jit.load was called"))
    monkeypatch.setattr(torch.export, "load", lambda *_, **__: pytest.fail("torch.export.load was called"))
    Path("evil").write_bytes(with_evil_pickles((penguins / name).read_bytes()))
    try:
        inspect_file(Path("evil"))
    except ModelError as error:
        assert name == "model.pth", error
    assert not Path("PWNED").exists()


@pytest.mark.parametrize(
    "content", [b"", b"hello", b"PK\x03\x04 cut off", b"\x08\x08\x12", b"<html>", b"/* C */"], ids=repr
)
def test_what_is_no_model_is_one_line(tmp_path, content):
    (tmp_path / "file").write_bytes(content)
    with pytest.raises(ModelError, match=r"file: .*(is not ONNX|is cut off)") as caught:
        inspect_file(tmp_path / "file")
    assert "\n" not in str(caught.value)
    with pytest.raises(ModelError, match="no such file"):
        inspect_file(tmp_path / "missing")


def test_every_cut_of_every_file_is_one_line(penguins, tmp_path):
    for name in ("model.onnx", "model.torchscript", "model.pt2", "model.pth"):
        data = (penguins / name).read_bytes()
        for keep in range(0, len(data) - 1, max(1, len(data) // 40)):
            (tmp_path / "file").write_bytes(data[:keep])
            try:
                inspect_file(tmp_path / "file")
            except ModelError as error:
                assert "\n" not in str(error)


def test_a_wrong_checksum_is_named(penguins, tmp_path):
    data = bytearray((penguins / "model.pt2").read_bytes())
    place = data.index(b"linear_layer.weight")
    data[place] ^= 1
    (tmp_path / "file").write_bytes(data)
    with pytest.raises(ModelError, match=r"is damaged: the checksum of .* is wrong"):
        inspect_file(tmp_path / "file")


def test_external_data_is_named(tmp_path):
    tensor = onnx.helper.make_tensor("w", onnx.TensorProto.FLOAT, [1, 1], [1.0])
    graph = onnx.helper.make_graph([onnx.helper.make_node("Gemm", ["x", "w"], ["y"])], "g", [], [], [tensor])
    model = onnx.helper.make_model(graph)
    onnx.external_data_helper.convert_model_to_external_data(model, location="w.bin", size_threshold=0)
    model.graph.initializer[0].data_location = onnx.TensorProto.EXTERNAL
    (tmp_path / "file").write_bytes(model.SerializeToString())
    assert "another file" in inspect_file(tmp_path / "file").facts["external_data"]


def test_the_command_shows_it(linreg, bundle):
    shown = linreg("inspect", bundle / "model.onnx")
    assert shown.code == 0
    for text in ("(batch, 3)", "Gemm", "linreg.target", "body_mass_g", "float32", "opset"):
        assert text in shown.out
    value = json.loads(linreg("inspect", bundle / "model.pth", "--json").out)
    assert value["kind"] == "state_dict"
    for name in ("model.pt2", "model.torchscript", "model.traced.torchscript", "model.pth"):
        assert linreg("inspect", bundle / name).code == 0


def test_text_from_files_is_shown_and_not_obeyed(linreg, bundle):
    model = onnx.load(bundle / "model.onnx")
    onnx.helper.set_model_props(model, {"[/]": "\x1b[31mred\u202e", "[link=file:///etc/passwd]x[/link]": "[bold]"})
    onnx.save(model, bundle / "evil.onnx")
    shown = linreg("inspect", bundle / "evil.onnx")
    assert shown.code == 0
    assert "[/]" in shown.out
    assert "\x1b" not in shown.out
    assert "\u202e" not in shown.out
