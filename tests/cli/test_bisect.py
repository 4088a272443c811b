"""`linreg bisect`: what it prints and writes, its exit codes, and the command that a refused export names."""

import json
import re
import shlex
import shutil
import subprocess
import sys
from dataclasses import replace

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from onnx import numpy_helper

from export.bundle.export import export
from linreg.errors import MismatchError
from linreg.manifest import read_manifest

NETS = """
import torch
from torch import nn

def make_net():
    return nn.Sequential(nn.Linear(4, 8), nn.Tanh(), nn.Linear(8, 2))
"""
MODULE = ["--module", "nets_of_bisect.py:make_net"]
INPUT = "x=float32[batch,4]"


WRONG_RUNTIME = """
import onnx
import onnxruntime

session = onnxruntime.InferenceSession

def wrong_tanh(data, *words, **settings):
    model = onnx.load_model_from_string(data)
    for node in model.graph.node:
        if node.op_type == "Tanh":
            node.op_type = "Sigmoid"
    return session(model.SerializeToString(), *words, **settings)

onnxruntime.InferenceSession = wrong_tanh
"""
"""An onnxruntime that computes Tanh wrongly; the user's file puts it in place of the real one."""


@pytest.fixture(scope="module")
def exported(tmp_path_factory):
    module = torch.nn.Sequential(torch.nn.Linear(4, 8), torch.nn.Tanh(), torch.nn.Linear(8, 2))
    folder = tmp_path_factory.mktemp("bisected") / "net"
    export(module, folder, inputs=INPUT)
    return folder


@pytest.fixture
def net(exported, tmp_path):
    (tmp_path / "nets_of_bisect.py").write_text(NETS)
    return shutil.copytree(exported, tmp_path / "net")


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


def test_a_wrong_node_is_named_with_what_shows_it(linreg, net):
    name = plant(net)
    ended = linreg("bisect", "net", *MODULE)
    assert ended.code == 3, ended
    first, *rest = ended.out.splitlines()
    assert first.startswith(f"node '{name}' (Relu, 2 of 3), output 'tanh': error / allowed ")
    assert "the operator is Relu, and Tanh in a fresh export" in first
    assert "no fault of torch or onnxruntime" in "\n".join(rest)
    assert re.search(rf"onnx {onnx.__version__} onnxruntime {onnxruntime.__version__}", "\n".join(rest))


def test_the_written_model_shows_the_fault(linreg, net, tmp_path):
    plant(net)
    ended = linreg("bisect", "net", *MODULE, "-o", "shown", "--json")
    assert ended.code == 3
    wrong = json.loads(ended.out)["wrong"]
    assert (wrong["operator"], wrong["cause"]) == ("Relu", "file")
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


def test_a_refused_export_ends_with_the_command_that_finds_the_node(tmp_path):
    """In real processes: the last line is pasted, and finds the operator that the runtime computes wrongly."""
    (tmp_path / "nets of bisect.py").write_text(NETS + WRONG_RUNTIME)
    words = ["--module", "nets of bisect.py:make_net", "--state-dict", "weights.pth", "--input", INPUT]
    torch.manual_seed(20261126)
    net = torch.nn.Sequential(torch.nn.Linear(4, 8), torch.nn.Tanh(), torch.nn.Linear(8, 2))
    torch.save(net.state_dict(), tmp_path / "weights.pth")
    refused = in_process(tmp_path, "export", *words, "-o", "net")
    assert refused.returncode == 3, refused.stderr
    last = refused.stderr.splitlines()[-1]
    command = shlex.split(last.split("to find the first wrong node: ")[1])
    assert command == ["linreg", "bisect", "net/model.onnx", *words]
    found = in_process(tmp_path, *command[1:])
    assert found.returncode == 3, found.stderr
    first, *rest = found.stdout.splitlines()
    assert re.match(r"node 'node_tanh' \(Tanh, 2 of 3\), output 'tanh': error / allowed \d", first)
    assert "onnxruntime (CPU, graph optimisation disabled) computes one node wrongly" in "\n".join(rest)
    shown = onnx.load(tmp_path / "bisect" / "model.onnx")
    assert [node.op_type for node in shown.graph.node] == ["Tanh"]


def test_a_module_of_the_python_interface_has_a_placeholder_in_the_command(tmp_path, monkeypatch):
    from export.bundle import staged

    load = staged.load_artifact

    def wrong(*words, **settings):
        runner = load(*words, **settings)
        return replace(runner, bind=lambda inputs: runner.bind(tuple(2 * array for array in inputs)))

    monkeypatch.setattr(staged, "load_artifact", wrong)
    module = torch.nn.Sequential(torch.nn.Linear(4, 8), torch.nn.Tanh())
    with pytest.raises(MismatchError) as caught:
        export(module, tmp_path / "net", inputs=INPUT, dtype="float64")
    command = shlex.split(str(caught.value).split("to find the first wrong node: ")[1])
    file = str(tmp_path / "net" / "model.float64.onnx")
    assert command == ["linreg", "bisect", file, "--module", "FILE.py:NAME", "--input", "x=float64[batch,4]"]
    assert (tmp_path / "net" / "model.float64.onnx.failed-inputs.npz").exists()


def in_process(folder, *words):
    command = [sys.executable, "-m", "linreg", *words]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
