"""Artifacts and vectors that no manifest lists: nothing says whose they are, so `--force` only names them."""

import json
import re
import shutil


def test_train_and_export_without_a_manifest_name_what_they_leave(linreg, tmp_path):
    folder = tmp_path / "line"
    linreg("train", "--epochs", "5", "-o", "line")
    linreg("export", "-m", "line", "-f", "c", "-f", "onnx")
    (folder / "manifest.json").unlink()
    ended = linreg("train", "--epochs", "6", "-o", "line", "--force")
    assert ended.code == 0
    named = re.search(r"warning: the manifest does not list (.*), which may be of other weights", ended.err)
    assert named is not None
    names = named[1].split(", ")
    assert names[:5] == ["model.c", "model.h", "model.onnx", "data.json", "test_data_set_0"]
    assert "model.c: is an artifact that the manifest does not list" in linreg("verify", "line").failure(3)
    message = "exists and is not what the manifest lists; use --force"
    for dtype in ([], ["--dtype", "float64"]):
        assert message in linreg("export", "-m", "line", "-f", "onnx", *dtype).failure()
    ended = linreg("export", "-m", "line", "-f", "onnx", "--force")
    assert ended.code == 0
    assert "warning: the manifest does not list model.c, model.h, which may be of other weights" in ended.err
    (folder / "model.c").unlink()
    assert "model.h: is an artifact that the manifest does not list" in linreg("verify", "line").failure(3)
    (folder / "model.h").unlink()
    assert linreg("verify", "line").code == 0
    assert "warning" not in linreg("train", "--epochs", "5", "-o", "line", "--force").err


def test_what_is_named_can_be_removed(linreg, tmp_path):
    linreg("train", "--epochs", "5", "-o", "line")
    linreg("export", "-m", "line", "-f", "c", "-f", "onnx")
    (tmp_path / "line" / "manifest.json").unlink()
    ended = linreg("train", "--epochs", "6", "-o", "line", "--force")
    for name in re.search(r"does not list (.*), which", ended.err)[1].split(", "):
        path = tmp_path / "line" / name
        shutil.rmtree(path) if path.is_dir() else path.unlink()
    assert linreg("export", "-m", "line", "-f", "c", "-f", "onnx").code == 0
    assert linreg("verify", "line").code == 0


def test_the_report_of_export_has_them(linreg, bundle):
    shutil.copy(bundle / "model.onnx", bundle / "model.float64.onnx")
    report = json.loads(linreg("export", "-m", bundle, "-f", "onnx", "--json").out)
    assert report["unlisted"] == ["model.float64.onnx"]
