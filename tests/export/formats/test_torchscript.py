import io
import json
import re
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
import torch
from torch import nn

from export.formats.torchscript import METADATA_RECORD, to_torchscript, to_traced_torchscript
from export.source.module_source import from_module
from export.source.source import from_checkpoint
from export.source.user_module import parse_input
from linreg.checkpoint import load
from linreg.errors import ExportError
from tests.conftest import ROOT

HERE = ROOT
PRINT_SHA = """
import hashlib, sys
from pathlib import Path
from export.source.source import from_checkpoint
from export.formats.torchscript import to_torchscript
from linreg.checkpoint import load
print(hashlib.sha256(to_torchscript(from_checkpoint(load(Path(sys.argv[1]))))).hexdigest())
"""


def test_the_archive_answers_as_eager_and_carries_the_metadata(penguins):
    source = from_checkpoint(load(penguins))
    extra = {METADATA_RECORD: ""}
    loaded = torch.jit.load(io.BytesIO(to_torchscript(source)), _extra_files=extra)
    x = torch.randn(7, 3) * 100
    assert torch.equal(loaded(x), source.module(x))
    assert json.loads(extra[METADATA_RECORD]) == source.metadata


def test_nothing_names_this_machine(penguins):
    archive = zipfile.ZipFile(io.BytesIO(to_torchscript(from_checkpoint(load(penguins)))))
    assert archive.testzip() is None
    contents = b"\n".join(archive.read(name) for name in archive.namelist())
    for trace in (str(HERE), str(Path.home()), sys.prefix, ".py:", "site-packages"):
        assert trace.encode() not in contents
    assert not [name for name in archive.namelist() if name.endswith(".debug_pkl")]


def test_bytes_depend_on_the_weights_alone(penguins, tmp_path):
    source = from_checkpoint(load(penguins))
    here = to_torchscript(source)
    assert to_torchscript(source) == here, "a second export in one process"
    for seed in ("1", "2"):
        other = subprocess.run(
            [sys.executable, "-c", PRINT_SHA, str(penguins)],
            cwd=tmp_path,
            env={"PYTHONHASHSEED": seed, "PYTHONPATH": str(HERE)},
            capture_output=True,
            text=True,
            check=True,
        ).stdout.strip()
        import hashlib

        assert other == hashlib.sha256(here).hexdigest()


def test_the_deprecation_is_silenced_only_inside(penguins):
    to_torchscript(from_checkpoint(load(penguins)))
    with pytest.warns(DeprecationWarning, match=re.escape("`torch.jit.script` is deprecated")):
        torch.jit.script(torch.nn.Linear(1, 1))


class Constant(nn.Linear):
    def forward(self, x):
        return super().forward(x) * torch.tensor(3)


def test_a_constant_made_in_forward_is_told_as_such():
    source = from_module(Constant(4, 2), [parse_input("x=float32[batch,4]")])
    with pytest.raises(
        ExportError, match=r"line \d+ of test_torchscript.py creates a tensor .*a buffer, or use --format tor"
    ):
        to_traced_torchscript(source)
