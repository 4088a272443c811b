"""The arguments of a module on the command line, in real processes."""

import subprocess
import sys

import onnx
import pytest

NETS = """
from torch import nn


class Skips(nn.Module):
    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(4, 3)

    def forward(self, x, cache=None, mask=None):
        y = self.layer(x)
        return y if mask is None else y * mask


class Step(nn.Module):
    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(4, 3)

    def forward(self, x, state):
        h, c = state
        return (self.layer(x) + h).tanh(), c + h
"""


@pytest.fixture
def export(tmp_path):
    (tmp_path / "nets.py").write_text(NETS)

    def run(name, *inputs):
        command = [
            sys.executable,
            "-m",
            "linreg",
            "export",
            "--module",
            f"nets.py:{name}",
            "-o",
            "net",
            "--budget",
            "1s",
        ]
        words = [word for text in inputs for word in ("--input", text)]
        return subprocess.run([*command, *words], cwd=tmp_path, capture_output=True, text=True, check=False)

    return run


def test_an_optional_argument_is_skipped(export, tmp_path):
    ended = export("Skips", "x=float32[batch,4]", "mask=float32[batch,3]")
    assert ended.returncode == 0, ended.stderr
    assert [entry.name for entry in onnx.load(tmp_path / "net" / "model.onnx").graph.input] == ["x", "mask"]


def test_a_tuple_is_suggested_and_then_exported(export, tmp_path):
    ended = export("Step", "x=float32[batch,4]", "state=float32[batch,3]")
    assert ended.returncode == 1
    (line,) = [line for line in ended.stderr.splitlines() if line.startswith("error: ")]
    parts = [word for word in line.split("'") if word.startswith("state.")]
    assert parts == ["state.0=float32[batch,3]", "state.1=float32[batch,3]"]
    ended = export("Step", "x=float32[batch,4]", *parts)
    assert ended.returncode == 0, ended.stderr
    names = [entry.name for entry in onnx.load(tmp_path / "net" / "model.onnx").graph.input]
    assert names == ["x", "state.0", "state.1"]
