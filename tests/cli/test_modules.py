"""`--module` and `--variant` on the command line: what is printed, noted and refused."""

import json
import subprocess
import sys

import pytest
import torch

from tests.bench_command import QUICK, rows_of

NETS = """
import torch
from torch import nn

class Printing(nn.Module):
    def __init__(self):
        super().__init__()
        print("hello from the constructor")
        self.layer = nn.Linear(4, 2)

    def forward(self, x):
        print("hello from forward")
        return self.layer(x)

class Rows512(nn.Module):
    def __init__(self):
        super().__init__()
        self.places = nn.Parameter(torch.ones(512, 4))

    def forward(self, x):
        return x + self.places[: x.shape[0]]

def compiled():
    return torch.compile(nn.Linear(4, 2), backend="eager")

def extra():
    return nn.BatchNorm1d(4, track_running_stats=False)
"""
INPUT = "x=float32[batch,4]"


@pytest.fixture(autouse=True)
def nets(tmp_path):
    name = f"nets_{tmp_path.name}.py"
    (tmp_path / name).write_text(NETS)
    return name


def test_what_a_module_prints_is_no_part_of_the_result(nets, tmp_path):
    """A real process, since TorchScript prints past Python: its eager module, its script, and the script in a probe."""
    words = ["--module", f"{nets}:Printing", "--input", "x=float32[2,4]", "--static", "-f", "torchscript"]
    command = [sys.executable, "-m", "linreg", "export", *words, "-o", "b", "--json"]
    ended = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stderr
    assert json.loads(ended.stdout)["bundle"] == "b"
    assert "hello from the constructor" in ended.stderr
    assert "hello from forward" in ended.stderr
    (written,) = (entry for entry in json.loads((tmp_path / "b" / "manifest.json").read_text())["files"]
                  if entry["name"] == "model.torchscript")  # fmt: skip
    assert "eager" in written["proof"]["probes"]["special rows"]


def test_a_compiled_module_is_exported_with_a_note_and_under_its_plain_names(linreg, nets, tmp_path):
    import torch

    ended = linreg("export", "--module", f"{nets}:compiled", "--input", INPUT, "-o", "b")
    assert ended.code == 0, ended.err
    assert f"{nets}:compiled: unwrapping torch.compile" in ended.err
    assert list(torch.load(tmp_path / "b" / "model.pth", weights_only=True)) == ["weight", "bias"]
    assert linreg("verify", "b").code == 0


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("extra", "does not run at batch 1: ValueError: Expected more than 1 value per channel"),
        ("Rows512", "does not run at batch 4096: RuntimeError"),
    ],
)
def test_a_module_of_some_batches_only_leaves_no_bundle(linreg, nets, tmp_path, name, message):
    words = ["--module", f"{nets}:{name}", "--input", INPUT, "-o", "b"]
    assert message in linreg("export", *words).failure()
    assert not (tmp_path / "b").exists()


def test_a_place_without_a_name_is_told_before_anything_is_run(linreg, tmp_path):
    (tmp_path / "stops.py").write_text("raise SystemExit(7)\n\ndef make():\n    return None\n")
    for command in ("export", "bench"):
        ended = linreg(command, "--module", "stops.py", "--input", INPUT, "-o", "b")
        assert ended.failure() == (
            "error: --module: got 'stops.py' without a name; expected FILE.py:NAME of a module, or of a function that "
            "makes one, such as stops.py:make"
        )
        assert "running" not in ended.err


@pytest.mark.usefixtures("frozen", "threads")
def test_a_module_is_timed_at_the_batches_that_it_runs_at(linreg, nets):
    words = ["bench", "--module", f"{nets}:Rows512", "--input", INPUT, *QUICK, "--device", "cpu", "-o", "out"]
    message = linreg(*words, "--batch", "1024").failure()
    assert "does not run at batch 1024: RuntimeError" in message
    assert message.endswith("; choose others with --batch, or check --input")


@pytest.mark.usefixtures("frozen", "threads")
def test_what_is_stripped_of_a_state_dict_is_noted_by_bench_too(linreg, nets, tmp_path):
    state = {
        f"module.{key}": value for key, value in torch.nn.BatchNorm1d(4, track_running_stats=False).state_dict().items()
    }
    torch.save({"state_dict": state}, tmp_path / "nested.pth")
    words = ["--module", f"{nets}:extra", "--state-dict", "nested.pth", "--input", INPUT, *QUICK, "--device", "cpu"]
    ended = linreg("bench", *words, "-o", "out", "--batch", "8")
    assert ended.code == 0, ended.err
    assert (
        ended.err.count("note: nested.pth: its weights are under 'state_dict'; 'module.' is stripped from its na") == 1
    )


VARIANTS = """
import torch
from pathlib import Path

from export.runners.torch import torch_runner
from linreg.checkpoint import load

def called():
    model = load(Path(BUNDLE)).model
    return torch_runner("called", model, call=torch.compile(model, backend="eager"))

def whole():
    return torch_runner("whole", torch.compile(load(Path(BUNDLE)).model, backend="eager"))

def bare():
    return torch.compile(load(Path(BUNDLE)).model, backend="eager")
"""


@pytest.mark.usefixtures("frozen", "threads")
def test_a_compiled_module_is_a_row_of_ones_own(linreg, bundle, tmp_path):
    (tmp_path / "compiled_rows.py").write_text(VARIANTS.replace("BUNDLE", repr(str(bundle))))
    words = ["bench", "-m", bundle, *QUICK, "--device", "cpu", "--json"]
    for name in ("called", "whole", "bare"):
        words += ["--variant", f"compiled_rows.py:{name}"]
    ended = linreg(*words)
    assert ended.code == 3, ended.err
    rows = rows_of(json.loads(ended.out))
    assert [rows[name]["problem"] for name in ("called", "whole")] == ["", ""]
    assert rows["called"]["median_s"] > 0
    assert rows["bare"]["problem"] == (
        "compiled_rows.py:bare: returns OptimizedModule, expected a Runner; for a torch module, compiled or not, "
        "return export.runners.torch.torch_runner(name, module)"
    )
    message = linreg("bench", "-m", bundle, *QUICK, "--variant", "compiled_rows.py").failure()
    assert "--variant: got 'compiled_rows.py' without a name; expected FILE.py:NAME of a function" in message
    assert "compiled_rows.py:called, compiled_rows.py:whole" in message
