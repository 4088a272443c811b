"""`linreg bisect`: what it prints and writes, its exit codes, and the command that a refused export names."""

import json
import re
import shlex
import subprocess
import sys

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import numpy_helper

from export.runners.base import Runner
from linreg.manifest import read_manifest

NETS = """
import torch
from torch import nn

def make_net():
    return nn.Sequential(nn.Linear(4, 8), nn.Tanh(), nn.Linear(8, 2))
"""
MODULE = ["--module", "nets_of_bisect.py:make_net"]
INPUT = "x=float32[batch,4]"


@pytest.fixture
def net(linreg, tmp_path):
    (tmp_path / "nets_of_bisect.py").write_text(NETS)
    ended = linreg("export", *MODULE, "--input", INPUT, "-o", "net")
    assert ended.code == 0, ended
    return tmp_path / "net"


def plant(net):
    """Replace the activation."""
    model = onnx.load(net / "model.onnx")
    node = next(node for node in model.graph.node if node.op_type == "Tanh")
    node.op_type = "Relu"
    (net / "model.onnx").write_bytes(model.SerializeToString())
    return node.name


def test_a_good_file_ends_with_0_and_writes_nothing(linreg, net, tmp_path):
    for words in (["net", *MODULE], ["net/model.onnx"]):
        ended = linreg("bisect", *words)
        assert (ended.code, ended.out) == (
            0,
            "no node leaves its bound: 3 nodes of net/model.onnx, 2 runs of onnxruntime\n",
        )
    assert not (tmp_path / "bisect").exists()


def test_a_wrong_node_is_named_with_what_shows_it(net, tmp_path):
    name = plant(net)
    command = [sys.executable, "-m", "linreg", "bisect", "net", *MODULE]
    ended = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert ended.returncode == 3, ended.stderr
    first, *rest = ended.stdout.splitlines()
    assert first.startswith(f"node '{name}' (Relu, 2 of 3), output 'tanh': error / allowed ")
    assert "the operator is Relu, and Tanh in a fresh export" in first
    assert re.search(rf"onnx {onnx.__version__} onnxruntime {onnxruntime.__version__}", "\n".join(rest))


def test_the_written_model_shows_the_fault(linreg, net, tmp_path):
    plant(net)
    ended = linreg("bisect", "net", *MODULE, "-o", "shown", "--json")
    assert ended.code == 3
    assert json.loads(ended.out)["wrong"]["operator"] == "Relu"
    session = onnxruntime.InferenceSession(tmp_path / "shown" / "model.onnx")
    given, wanted, allowed = (
        numpy_helper.to_array(onnx.load_tensor(tmp_path / "shown" / "test_data_set_0" / f"{kind}_0.pb"))
        for kind in ("input", "output", "allowed")
    )
    np.testing.assert_allclose(wanted, np.tanh(given.astype(np.float64)), atol=1e-7)
    (found,) = session.run(None, {session.get_inputs()[0].name: given})
    assert (np.abs(found - wanted) > allowed).any()
    assert read_manifest(tmp_path / "shown") is not None
    assert "test_data_set_0" in linreg("verify", "shown/model.onnx").failure(3)
    assert linreg("bisect", "net", *MODULE, "-o", "shown").code == 3  # its own files are overwritten


def test_files_of_the_user_are_not_overwritten(linreg, net, tmp_path):
    plant(net)
    (tmp_path / "bisect").mkdir()
    (tmp_path / "bisect" / "model.onnx").write_bytes(b"mine")
    assert "exists and is not what the manifest lists" in linreg("bisect", "net", *MODULE).failure(1)
    assert (tmp_path / "bisect" / "model.onnx").read_bytes() == b"mine"


def test_options_of_a_module_need_one(linreg, net):
    assert (
        "--input applies to your own module; name it: --module FILE.py:NAME"
        in linreg("bisect", "net", "--input", INPUT).err
    )


def test_a_refused_export_names_the_command(linreg, net, tmp_path, monkeypatch):
    from export.bundle import write

    load = write.load_artifact

    def wrong(*words):
        runner = load(*words)

        def bind(inputs):
            return runner.bind(tuple(2 * array for array in inputs))

        return Runner(name=runner.name, bind=bind, parameters=runner.parameters, folds=runner.folds)

    with monkeypatch.context() as patch:
        patch.setattr(write, "load_artifact", wrong)
        message = linreg("export", *MODULE, "--input", INPUT, "-o", "refused").err.splitlines()[-1]
    command = shlex.split(message.split("to find the first wrong node: ")[1])
    assert command == ["linreg", "bisect", "refused", "--module", "FILE.py:NAME", "--input", "input=float32[batch,4]"]
    assert (tmp_path / "refused" / "model.onnx.failed-inputs.npz").exists()
    command[command.index("FILE.py:NAME")] = MODULE[1]
    ended = linreg(*command[1:])
    assert (ended.code, ended.out.split(":")[0]) == (0, "no node leaves its bound")
