"""`linreg bench`: what is timed, a bundle, two artifacts, or modules and rows of one's own; and what cannot be."""

import json
import shutil
from pathlib import Path

import pytest
import torch

from bench.plan.variants import NULL
from tests.bench_command import CPU, QUICK, WRITTEN, rows_of, wrong_weight
from tests.conftest import TESTS, contents

pytestmark = pytest.mark.usefixtures("frozen", "threads")

NETS = TESTS / "nets.py"


def test_two_artifacts_of_one_format(linreg, bundle, tmp_path):
    other = Path(shutil.copytree(bundle, tmp_path / "other"))
    before = contents(tmp_path)
    ended = linreg("bench", "-m", bundle, "--against", other / "model.onnx", *QUICK, "--json")
    assert ended.code == 0, ended.err
    report = json.loads(ended.out)
    assert report["reference"] == "against"
    assert list(rows_of(report)) == ["against", NULL, "this", "floor"]
    assert rows_of(report)["this"]["kind"] == "onnxruntime-run"
    assert contents(tmp_path) == before, "a report of two bundles belongs to neither"


def test_what_a_model_cannot_be_timed_against(linreg, bundle, tmp_path, monkeypatch):
    other = Path(shutil.copytree(bundle, tmp_path / "other"))
    (tmp_path / "alone").mkdir()
    shutil.copy(other / "model.onnx", "alone")
    for path, text in {
        "alone/model.onnx": "alone/model.onnx: there is no model.pth beside it",
        "other/model.pth": "expected an artifact in its bundle, such as other/model.onnx",
        "other/model.float64.onnx": "no such bundle or file",
        "other": "expected an artifact in its bundle",
    }.items():
        assert text in linreg("bench", "-m", bundle, "--against", path, *QUICK).failure()
    wrong_weight(other / "model.onnx")
    message = linreg("bench", "-m", bundle, "--against", "other/model.onnx", *QUICK).failure(3)
    assert "against-model.onnx: parameter" in message
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "nobody"))
    message = linreg("bench", "-m", bundle, "--against", "other/model.pt2", *QUICK).failure()
    assert "other/model.pt2: is a program that this user did not export; if you trust it, add --trust" in message
    assert linreg("bench", "-m", bundle, "--against", "other/model.pt2", "--trust", *QUICK).code == 0


def test_a_module_of_ones_own(linreg, tmp_path):
    words = ["--module", f"{NETS}:make_two_towers", "--input", "user=float32[batch,4]", "--input"]
    words += ["item=float32[batch,6]", *QUICK, "--json"]
    ended = linreg("bench", *words, "-o", "net")
    assert ended.code == 0, ended.err
    assert f"running {NETS}" in ended.err
    assert {path.name for path in Path("net").iterdir()} == WRITTEN
    assert list(rows_of(json.loads(ended.out))) == CPU
    assert linreg("export", *words[:-1][:6], "-o", "exported").code == 0
    before = contents(tmp_path)
    again = linreg("bench", *words, "--state-dict", "exported/model.pth")
    assert again.code == 0, again.err
    assert json.loads(again.out)["state_sha256"] == json.loads(ended.out)["state_sha256"]
    assert contents(tmp_path) == before, "without -o it is only shown"


def test_a_module_with_random_parameters_is_one_module(linreg):
    """Each row makes it anew, and each must have the same parameters."""
    ended = linreg("bench", "--module", f"{NETS}:Mlp", "--input", "x=float32[batch,16]", *QUICK, "--json")
    assert ended.code == 0, ended.err
    assert {row["problem"] for row in rows_of(json.loads(ended.out)).values()} == {""}


def test_a_module_without_inputs_or_with_a_wrong_state_is_one_line(linreg, bundle):
    words = ["--module", f"{NETS}:make_mlp", *QUICK]
    assert "describe its inputs with one --input for each argument" in linreg("bench", *words).failure(2)
    words += ["--input", "x=float32[batch,16]"]
    message = linreg("bench", *words, "--state-dict", bundle / "model.pth").failure()
    assert f"{bundle / 'model.pth'}: " in message
    assert "has no 'nothing'" in linreg("bench", "--module", f"{NETS}:nothing", *words[2:]).failure()


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a CUDA device")
def test_cuda_that_is_not_there_is_one_line(linreg, bundle):
    before = contents(bundle)
    message = linreg("bench", "-m", bundle, *QUICK, "--device", "cuda").failure()
    assert "--device cuda: this torch sees no CUDA device" in message
    assert contents(bundle) == before


def test_the_cpu_alone(linreg, bundle):
    ended = linreg("bench", "-m", bundle, *QUICK, "--device", "cpu", "--json")
    assert {entry["device"] for entry in json.loads(ended.out)["comparisons"]} == {"cpu"}


def test_a_model_that_is_not_there_is_one_line(linreg, bundle):
    assert "no such bundle or file" in linreg("bench", "-m", "missing", *QUICK).failure()
    message = linreg("bench", "-m", bundle / "model.onnx", *QUICK).failure()
    assert "is an exported file, and this command needs its bundle" in message


MODULE = """
import sys
from torch import nn

print("making")


class Net(nn.Linear):
    def forward(self, x):
        print("forward")
        return super().forward(x)


def make():
    return Net(3, 1)


def leave():
    raise SystemExit(0)
"""


def test_a_module_by_a_relative_path_that_prints_leaves_one_json_object(linreg, tmp_path):
    (tmp_path / "printing_net.py").write_text(MODULE)
    words = ["--module", "printing_net.py:make", "--input", "x=float32[batch,3]"]
    ended = linreg("bench", *words, *QUICK, "--json")
    assert ended.code == 0, ended.err
    assert json.loads(ended.out)["state_sha256"]
    assert "forward" in ended.err


def test_a_module_that_leaves_is_an_error_and_not_our_exit_code(linreg, tmp_path):
    (tmp_path / "leaving_net.py").write_text(MODULE)
    words = ["--module", "leaving_net.py:leave", "--input", "x=float32[batch,3]"]
    assert "cannot be called without arguments: SystemExit" in linreg("bench", *words, *QUICK, "--json").failure()


def test_a_program_that_is_not_ours_is_told_to_be_made_anew(linreg, bundle, tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "nobody"))
    ended = linreg("bench", "-m", bundle, *QUICK)
    assert "model.torchscript: is a program that this user did not export, so its row is exported again" in ended.err
    found = rows_of(json.loads((bundle / "bench.json").read_text()))
    assert {name: row["origin"] for name, row in found.items() if row["origin"]} == {
        "torchscript": "rebuilt",
        "torchscript-frozen": "rebuilt",
        "torchscript-trace": "rebuilt",
        "pt2": "rebuilt",
        "onnxruntime-run": "bundle",
        "onnxruntime-io_binding": "bundle",
    }
    trusted = linreg("bench", "-m", bundle, *QUICK, "--trust")
    assert "did not export" not in trusted.err
    found = rows_of(json.loads((bundle / "bench.json").read_text()))
    assert {row["origin"] for row in found.values()} == {None, "bundle"}


def test_a_program_that_is_not_timed_is_not_told(linreg, bundle, tmp_path, monkeypatch):
    import bench.benchmark

    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "nobody"))
    monkeypatch.setattr(bench.benchmark, "measure", lambda *_, **__: 1 / 0)
    assert "is a program that this user did not export" in linreg("bench", "-m", bundle).err
    ended = linreg("bench", "-m", bundle, "--against", bundle / "model.onnx")
    assert "is a program that this user did not export" not in ended.err
