"""`linreg export` and `linreg verify`: what is written, and that no changed byte passes."""

import json
import pickle
import shutil
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
import torch

from tests.cli.test_commands import MODEL_AND_RECORDS, ONNX_AND_VECTORS, contents, names, rows_of
from tests.conftest import FEATURES, PENGUINS


def test_the_onnx_file_answers_raw_features_as_predict_does(linreg, penguins):
    ended = linreg("predict", PENGUINS, "-m", penguins)
    shown = [row for row in rows_of(ended.out) if row["predicted_body_mass_g"]]
    raw = np.array([[float(row[name]) for name in FEATURES.split(",")] for row in shown], np.float32)
    session = onnxruntime.InferenceSession(penguins / "model.onnx", providers=["CPUExecutionProvider"])
    (answers,) = session.run(None, {session.get_inputs()[0].name: raw})
    predicted = np.array([[float(row["predicted_body_mass_g"])] for row in shown])
    assert len(answers) == 342
    assert np.abs(answers - predicted).max() <= 0.002  # of some thousand grams: a few units of float32's last place


def test_train_export_verify(linreg):
    assert linreg("train", PENGUINS, "--target", "body_mass_g", "-o", "b").code == 0
    exported = linreg("export", "-m", "b", "-f", "onnx", "-f", "torchscript", "--json")
    assert [entry["format"] for entry in json.loads(exported.out)["artifacts"]] == ["onnx", "torchscript"]
    verified = linreg("verify", "b")
    assert verified.code == 0
    assert "ok: the bytes of b match its manifest, and the outputs of 2 artifacts" in verified.out
    assert linreg("verify", "b/model.onnx").code == 0


@pytest.mark.parametrize("name", ["model.onnx", "model.torchscript", "model.pth", "card.json"])
def test_verify_exits_3_after_one_byte_is_changed(linreg, bundle, name):
    data = bytearray((bundle / name).read_bytes())
    data[len(data) // 2] ^= 1
    (bundle / name).write_bytes(data)
    for path in (bundle, bundle / name):
        message = linreg("verify", path).failure(3)
        assert f"{name}: has sha256" in message
        assert "restore the file, or export again" in message


def test_verify_exits_3_when_a_file_is_missing(linreg, bundle):
    (bundle / "model.onnx").unlink()
    for path in (bundle, bundle / "model.onnx"):
        assert "model.onnx: is listed in the manifest, but is missing" in linreg("verify", path).failure(3)


def test_verify_names_what_it_can_verify(linreg, bundle):
    (bundle / "notes.txt").write_text("mine")
    assert "notes.txt: is not in the manifest of" in linreg("verify", bundle / "notes.txt").failure()
    assert "there is no manifest.json in" in linreg("verify", bundle.parent).failure()
    assert "no such bundle or file; did you mean penguins?" in linreg("verify", "pengiuns").failure()
    linreg("train", "--epochs", "5", "-o", "line")
    assert "the manifest lists no artifact; run: linreg export" in linreg("verify", "line").failure()


def test_export_leaves_a_file_that_the_manifest_does_not_list(linreg, tmp_path):
    linreg("train", "--epochs", "5", "-o", "b")
    (tmp_path / "b" / "model.onnx").write_text("mine")
    message = linreg("export", "-m", "b").failure()
    assert "b/model.onnx: exists and is not what the manifest lists; use --force" in message
    assert (tmp_path / "b" / "model.onnx").read_text() == "mine"
    assert linreg("export", "-m", "b", "--force").code == 0
    assert linreg("verify", "b").code == 0


def test_export_into_another_bundle_takes_the_model_along(linreg, bundle, tmp_path):
    assert linreg("export", "-m", bundle, "-o", "other").code == 0
    assert names(tmp_path / "other") == sorted([*MODEL_AND_RECORDS, *ONNX_AND_VECTORS])
    assert linreg("verify", "other").code == 0
    assert linreg("export", "-m", bundle, "-o", bundle.parent / "." / bundle.name).code == 0


def test_export_does_not_mix_two_models_in_a_bundle(linreg, bundle):
    linreg("train", "--epochs", "5", "-o", "line")
    before = contents(bundle)
    linreg("export", "-m", "line", "-o", bundle).failure()
    assert contents(bundle) == before
    assert linreg("export", "-m", "line", "-o", bundle, "--force").code == 0
    assert names(bundle) == sorted([*MODEL_AND_RECORDS, *ONNX_AND_VECTORS])
    assert linreg("verify", bundle).code == 0


def test_a_bare_state_dict_is_exported_and_verified(linreg, bundle, tmp_path):
    (tmp_path / "bare").mkdir()
    shutil.copy(bundle / "model.pth", tmp_path / "bare" / "mine.pth")
    message = linreg("export", "-m", "bare/mine.pth").failure()
    assert message.endswith("name a folder for the bundle: linreg export -m bare/mine.pth -o bare/mine")
    assert names(tmp_path / "bare") == ["mine.pth"]
    ended = linreg("export", "-m", "bare/mine.pth", "-o", "bare")
    assert ended.code == 0
    assert "next:  linreg verify bare\n       linreg bench -m bare/mine.pth\n" in ended.out
    assert linreg("verify", "bare").code == 0
    assert linreg("export", "-m", "bare/mine.pth", "-f", "torchscript").code == 0, "the bundle of the manifest now"
    assert linreg("export", "-m", "bare/mine.pth", "-o", "moved").code == 0
    assert linreg("verify", "moved").code == 0
    assert "has no card.json" in linreg("predict", PENGUINS, "-m", "moved").failure()


class Evil:
    def __reduce__(self):
        return Path.touch, (Path("PWNED"),)


@pytest.mark.parametrize("kind", ["pickle", "state", "module", "cut", "text"])
def test_a_hostile_state_dict_is_one_line_and_runs_nothing(linreg, bundle, tmp_path, kind):
    path = tmp_path / "model.pth"
    if kind == "pickle":
        path.write_bytes(pickle.dumps(Evil()))
    elif kind == "state":
        torch.save({"weights": Evil()}, path)
    elif kind == "module":
        torch.save(torch.nn.Linear(1, 1), path)
    elif kind == "cut":
        path.write_bytes((bundle / "model.pth").read_bytes()[:-100])
    else:
        path.write_text("\x1b[31mhello")
    before = contents(tmp_path)
    for command in ("export", "evaluate", "bench"):
        message = linreg(command, "-m", path).failure()
        assert "state_dict" in message
        assert "weights_only" not in message or kind == "module"  # torch.nn.Linear is told how to convert it
    assert contents(tmp_path) == before


NETS = """
import torch

class Halve(torch.nn.Module):
    def forward(self, u):
        return torch.round(u.double() / 2)

class Weighted(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.weight = torch.nn.Parameter(torch.ones(4))
    def forward(self, u):
        return u * self.weight
"""


def test_a_precision_needs_no_state_dict(linreg, tmp_path):
    (tmp_path / "halving.py").write_text(NETS)
    words = ["--input", "u=uint8[batch,4]<256", "-f", "torchscript", "--dtype"]
    done = linreg("export", "--module", "halving.py:Halve", *words, "float64", "-o", "halve")
    assert done.code == 0, done
    assert (tmp_path / "halve" / "model.pth").is_file()
    done = linreg("export", "--module", "halving.py:Weighted", *words, "float32", "-o", "same")
    assert done.code == 0, done
    done = linreg("export", "--module", "halving.py:Weighted", *words, "float64", "-o", "other")
    assert done.code == 0, done
    assert linreg("verify", "other").code == 0
    own = linreg("export", "--module", "halving.py:Weighted", *words[:-1], "-o", "other")
    assert own.code == 0, own
    assert linreg("verify", "other/model.torchscript").code == 0, "the vectors are of the module's own precision now"
    assert "so its outputs were not checked" in linreg("verify", "other/model.float64.torchscript").failure()
