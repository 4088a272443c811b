"""Ctrl-C during the proof of a module leaves nothing behind."""

import os
import signal
import subprocess
import sys

import pytest

NETS = """
import sys, time
import torch
from torch import nn

calls = 0

class Slow(nn.Module):
    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(4, 3)

    def forward(self, x):
        if x.dtype == torch.float64:  # only the oracle of the proof
            wait()
        return torch.relu(self.layer(x))

def wait():
    global calls
    calls += 1
    if calls == 12:
        print("proving", file=sys.stderr, flush=True)
        while True:
            time.sleep(0.01)

make_net = Slow
"""


@pytest.mark.parametrize("kept", [False, True], ids=["a-new-bundle", "an-older-bundle"])
def test_ctrl_c_during_the_proof_leaves_nothing(tmp_path, kept):
    (tmp_path / "nets.py").write_text(NETS)
    (tmp_path / "temporary").mkdir()
    folder = tmp_path / "net"
    if kept:
        folder.mkdir()
        (folder / "notes.txt").write_text("mine")
    command = [
        sys.executable,
        "-m",
        "linreg",
        "export",
        "--module",
        "nets.py:make_net",
        "--input",
        "x=float32[batch,4]",
    ]
    process = subprocess.Popen(
        [*command, "-o", "net"],
        cwd=tmp_path,
        env={**os.environ, "TMPDIR": str(tmp_path / "temporary")},
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert any("proving" in line for line in process.stderr)
    assert len(list(folder.iterdir())) > kept, "the file that is being proved"
    process.send_signal(signal.SIGINT)
    out, error = process.communicate(timeout=60)
    assert (process.returncode, out) == (130, "")
    assert "Traceback" not in error
    assert [path.name for path in folder.glob("*")] == (["notes.txt"] if kept else []), "no file of the bundle"
    assert not list((tmp_path / "temporary").glob("linreg-*"))
