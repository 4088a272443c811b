"""No artifact names this machine, and the same weights give the same bytes elsewhere."""

import getpass
import hashlib
import io
import os
import platform
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

import linreg as package
from export.bundle.build import build
from export.formats.capture import capture
from export.formats.names import RUNTIME_FORMATS, file_name
from export.source.module_source import from_module
from export.source.user_module import parse_input
from tests import nets

HERE = Path(package.__file__).resolve().parents[1]
KINDS = [nets.Mlp, nets.Lstm, nets.TwoTowers]
ELSEWHERE = """
import hashlib, sys
from export.bundle.build import build
from export.formats.capture import capture
from export.formats.names import RUNTIME_FORMATS
from export.source.user_module import parse_input
from export.source.module_source import from_module
import tests.nets as nets
kind = getattr(nets, sys.argv[1])
source = from_module(nets.make(kind), [parse_input(text) for text in nets.INPUTS[kind]])
program = capture(source)
for format_ in RUNTIME_FORMATS:
    print(hashlib.sha256(build(source, format_, program=program)).hexdigest())
"""


def opened(data: bytes) -> bytes:
    """The bytes, and those of every record of an archive, unpacked."""
    if data[:2] != b"PK":
        return data
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        return data + b"\n".join(name.encode() + archive.read(name) for name in archive.namelist())


def traces() -> list[str]:
    """What must not be found: folders, user, host, virtual environment, source files."""
    found = [str(HERE), str(Path.cwd()), str(Path.home()), sys.prefix, platform.node(), "site-packages", ".py:"]
    user = getpass.getuser()
    return [*found, f"/{user}/", f'"{user}"', "/tmp/"]


@pytest.fixture(scope="module")
def exported():
    """The bytes of every format of some modules."""
    made = {}
    for kind in KINDS:
        source = from_module(nets.make(kind), [parse_input(text) for text in nets.INPUTS[kind]])
        program = capture(source)
        made[kind] = {format_: build(source, format_, program=program) for format_ in RUNTIME_FORMATS}
    return made


def test_no_artifact_names_this_machine(exported, penguins):
    everything = {f"{kind.__name__} {format_}": data for kind in KINDS for format_, data in exported[kind].items()}
    everything |= {f"penguins {kind}": (penguins / file_name(kind)).read_bytes() for kind in RUNTIME_FORMATS}
    for name, data in everything.items():
        contents = opened(data)
        assert [trace for trace in traces() if trace.encode() in contents] == [], name


def test_no_artifact_holds_the_version_of_a_tool(exported):
    import onnx
    import torch

    for kind in KINDS:
        for data in exported[kind].values():
            for version in (torch.__version__, onnx.__version__, package.__version__ + "-"):
                assert version.encode() not in opened(data)


@pytest.mark.parametrize(
    "kind",
    [nets.Mlp, *(pytest.param(kind, marks=pytest.mark.slow) for kind in KINDS[1:])],
    ids=lambda kind: kind.__name__,
)
def test_another_folder_and_another_process_give_the_same_bytes(exported, kind, tmp_path):
    here = [hashlib.sha256(data).hexdigest() for data in exported[kind].values()]
    # The user's file lies elsewhere, too.
    (tmp_path / "tests").mkdir()
    (tmp_path / "tests" / "__init__.py").touch()
    (tmp_path / "tests" / "nets.py").write_bytes(Path(nets.__file__).read_bytes())
    done = subprocess.run(
        [sys.executable, "-c", ELSEWHERE, kind.__name__],
        cwd=tmp_path,
        env={**os.environ, "PYTHONHASHSEED": "7", "PYTHONPATH": f"{tmp_path}{os.pathsep}{HERE}"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    assert done.stdout.split() == here


def test_a_second_export_in_one_process_gives_the_same_bytes(exported):
    source = from_module(nets.make(nets.Mlp), [parse_input("x=float32[batch,16]")])
    program = capture(source)
    for format_ in RUNTIME_FORMATS:
        assert build(source, format_, program=program) == exported[nets.Mlp][format_], format_
