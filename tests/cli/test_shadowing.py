"""A user's own files named like our packages do not replace them, in no process that a command starts."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import _linreg

pytestmark = pytest.mark.slow

CONSOLE_SCRIPT = "import sys; from _linreg import main; sys.exit(main())"
"""What pip writes into bin/linreg, where the current folder is not on `sys.path`."""

NETS = """
import torch
from sizes import WIDTH

def make_net():
    return torch.nn.Linear(WIDTH, 2)
"""
CLASHING = """
import torch


def make_net():
    import export
    return torch.nn.Linear(export.WIDTH, 2)
"""


@pytest.fixture
def shadowed(penguins, tmp_path) -> Path:
    """A folder with files called as our packages and one of our modules; importing one of them is an error."""
    for name in ("export", "bench", "tables"):
        (tmp_path / f"{name}.py").write_text(f"raise SystemExit('the user\\'s {name}.py was imported')\n")
    shutil.copytree(penguins, tmp_path / "penguins")
    return tmp_path


def run(folder: Path, start: list[str], *words: str, path: str | None) -> subprocess.CompletedProcess[str]:
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    if path is not None:
        environment["PYTHONPATH"] = path
    return subprocess.run(
        [sys.executable, *start, *words], cwd=folder, env=environment, capture_output=True, text=True, check=False
    )


STARTS = pytest.mark.parametrize(
    ("start", "path"),
    [
        (["-P", "-c", CONSOLE_SCRIPT], None),
        (["-P", "-c", CONSOLE_SCRIPT], "."),
        (["-m", "linreg"], None),
        (["-m", "linreg"], "."),
    ],
    ids=["script", "script-pythonpath", "module", "module-pythonpath"],
)


@STARTS
@pytest.mark.parametrize(
    "words",
    [
        ["--help"],
        ["export", "-m", "penguins", "-o", "again"],
        ["bench", "-m", "penguins", "--processes", "2", "--rounds", "10", "--batch", "1", "--force"],
    ],
    ids=lambda words: words[0],
)
def test_commands_and_their_children_run_our_packages(shadowed, start, path, words):
    ended = run(shadowed, start, *words, path=path)
    assert ended.returncode == 0, ended
    assert "was imported" not in ended.stderr


@pytest.mark.parametrize("path", [None, "."])
def test_the_program_starts_beside_a_linreg_py(shadowed, path):
    (shadowed / "linreg.py").write_text("raise SystemExit('the user\\'s linreg.py was imported')\n")
    ended = run(shadowed, ["-P", "-c", CONSOLE_SCRIPT], "export", "-m", "penguins", "-o", "again", path=path)
    assert ended.returncode == 0, ended


def test_a_foreign_onnx_file_is_verified_in_a_child_of_ours(shadowed, monkeypatch):
    (shadowed / "linreg.py").write_text("raise SystemExit(1)\n")
    monkeypatch.setenv("XDG_STATE_HOME", str(shadowed / "state"))  # without the ledger the file is somebody else's
    ended = run(shadowed, ["-P", "-c", CONSOLE_SCRIPT], "verify", "penguins/model.onnx", path=".")
    assert ended.returncode == 0, ended


@STARTS
def test_a_module_finds_the_files_beside_it(tmp_path, start, path):
    (tmp_path / "nets.py").write_text(NETS)
    (tmp_path / "sizes.py").write_text("WIDTH = 4\n")
    words = ["export", "--module", "nets.py:make_net", "--input", "x=float32[batch,4]", "-o", "net"]
    ended = run(tmp_path, start, *words, path=path)
    assert ended.returncode == 0, ended


@STARTS
def test_a_file_beside_a_module_that_is_called_as_ours_is_named(tmp_path, start, path):
    (tmp_path / "nets.py").write_text(CLASHING)
    (tmp_path / "export.py").write_text("WIDTH = 4\n")
    words = ["export", "--module", "nets.py:make_net", "--input", "x=float32[batch,4]", "-o", "net"]
    ended = run(tmp_path, start, *words, path=path)
    assert ended.returncode == 1
    last = ended.stderr.splitlines()[-1]
    assert last.startswith("error: nets.py:make_net: cannot be called without arguments: AttributeError: ")
    assert last.endswith("there is another module called export: rename export.py")


def test_a_module_may_stand_in_a_file_called_as_one_of_ours(tmp_path):
    (tmp_path / "export.py").write_text("import torch\n\nnet = torch.nn.Linear(4, 2)\n")
    words = ["export", "--module", "export.py:net", "--input", "x=float32[batch,4]", "-o", "net"]
    ended = run(tmp_path, ["-m", "linreg"], *words, path=".")
    assert ended.returncode == 0, ended


def test_every_child_is_started_by_its_absolute_path():
    """`-m` would look the module up on `sys.path`, where a user's file may come first."""
    root = Path(_linreg.__file__).parent
    for package in _linreg.PACKAGES:
        for file in (root / package).rglob("*.py"):
            assert not re.search(r"sys\.executable[^\n]*-m\b", file.read_text()), file
