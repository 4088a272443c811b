"""A module that torch.export refuses: the message names the line of its code, and what to write instead."""

import subprocess
import sys
from pathlib import Path

import pytest

from export.formats.capture import capture
from export.formats.users_line import place_and_advice
from export.source.module_source import from_module
from export.source.user_module import parse_input
from linreg.errors import ExportError
from tests import nets

DETECTOR = """
import torch
from torch import nn

class Detector(nn.Module):
    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(4, 4)

    def forward(self, x):
        scores = self.layer(x)
        return self.kept(scores) + scores

    def kept(self, scores):
        found = scores[scores[:, 0] > 0]
        if found.shape[0] > 2:
            return found.sum(0, keepdim=True)
        return scores
"""


def test_the_line_of_the_code_is_named_with_what_to_write():
    source = from_module(nets.make(nets.Branches), [parse_input("x=float32[batch,4]")])
    lines = Path(nets.__file__).read_text().splitlines()
    number = lines.index("        if x.sum() > 0:") + 1
    with pytest.raises(ExportError) as caught:
        capture(source)
    assert str(caught.value).startswith("torch.export refuses the module: GuardOnDataDependentSymNode: ")
    assert str(caught.value).endswith(
        f"; at nets.py, line {number}, in forward: if x.sum() > 0:; "
        "use torch.where or torch.cond there, or keep that step outside the module"
    )


@pytest.mark.slow
def test_the_line_is_in_the_message_and_not_in_the_bundle(tmp_path):
    """In a real process: the line of a helper that forward calls, in one line that ends the output."""
    (tmp_path / "detector.py").write_text(DETECTOR)
    words = ["export", "--module", "detector.py:Detector", "--input", "x=float32[batch,4]", "-o", "net"]
    command = [sys.executable, "-m", "linreg", *words, "--format", "pt2", "--format", "torchscript"]
    ended = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert ended.returncode == 1, ended.stderr
    last = ended.stderr.splitlines()[-1]
    line = DETECTOR.splitlines().index("        if found.shape[0] > 2:") + 1
    assert f"; at detector.py, line {line}, in kept: if found.shape[0] > 2:; use torch.where or torch.cond" in last
    written = {path.name: path.read_bytes() for path in (tmp_path / "net").rglob("*") if path.is_file()}
    del written["model.torchscript"]  # TorchScript keeps the names of source files, without folders
    assert "manifest.json" in written
    assert [name for name, data in written.items() if b"detector.py" in data] == ["card.json"], "the place of the code"
    assert not [name for name, data in written.items() if b"found.shape" in data]


def test_checks_that_torch_suggests_are_repeated():
    """The form of torch's own message; symbolic_shapes writes it if it knows the variable."""
    text = (
        "Could not guard on data-dependent expression u0 > 2.\n\n"
        "To fix the error, insert one of the following checks before this call:\n"
        "  1. torch._check(found.shape[0] > 2)\n  2. torch._check((found.shape[0]) <= 2)\n\n(These suggested fixes"
    )
    assert place_and_advice(RuntimeError(text)) == (
        "; torch suggests torch._check(found.shape[0] > 2) or torch._check((found.shape[0]) <= 2) before it"
    )
    assert place_and_advice(RuntimeError("no operator")) == ""
