"""The arguments of a module on the command line."""

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
def export(linreg, tmp_path):
    (tmp_path / "nets.py").write_text(NETS)

    def run(name, *inputs):
        words = [word for text in inputs for word in ("--input", text)]
        return linreg("export", "--module", f"nets.py:{name}", "-o", "net", "--budget", "1s", *words)

    return run


def test_an_optional_argument_is_skipped(export, tmp_path):
    ended = export("Skips", "x=float32[batch,4]", "mask=float32[batch,3]")
    assert ended.code == 0, ended.err
    assert [entry.name for entry in onnx.load(tmp_path / "net" / "model.onnx").graph.input] == ["x", "mask"]


def test_a_tuple_is_suggested_and_then_exported(export, tmp_path):
    ended = export("Step", "x=float32[batch,4]", "state=float32[batch,3]")
    parts = [word for word in ended.failure().split("'") if word.startswith("state.")]
    assert parts == ["state.0=float32[batch,3]", "state.1=float32[batch,3]"]
    ended = export("Step", "x=float32[batch,4]", *parts)
    assert ended.code == 0, ended.err
    names = [entry.name for entry in onnx.load(tmp_path / "net" / "model.onnx").graph.input]
    assert names == ["x", "state.0", "state.1"]
