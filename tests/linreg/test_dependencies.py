"""A missing package is named with the command that installs it; `doctor` lists all that are missing."""

import json
import os
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from linreg.dependencies import DEPENDENCIES, missing_packages
from tests.conftest import PENGUINS

ROOT = Path(__file__).resolve().parents[2]
WITHOUT = "import sys; sys.modules.update(dict.fromkeys({missing!r})); from _linreg import main; main()"
"""A module that is None in `sys.modules` is neither found nor imported."""


def plain(requirement: str) -> str:
    return requirement.partition(">")[0]


def run(folder: Path, *words: object, missing: tuple[str, ...]) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", WITHOUT.format(missing=missing), *map(str, words)]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)


def test_the_list_is_that_of_the_project():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = project["optional-dependencies"]
    assert sorted(DEPENDENCIES) == sorted(map(plain, [*project["dependencies"], *extras["all"]]))
    assert sorted(map(plain, extras["all"])) == sorted(map(plain, [*extras["torch"], *extras["plots"]]))


@pytest.mark.parametrize(
    ("words", "missing"),
    [
        (["train", "-o", "line"], "torch"),
        (["train", PENGUINS, "--target", "year", "-o", "other"], "pyarrow"),
        (["train", PENGUINS, "--target", "year", "--method", "adam", "-o", "other"], "torch"),
        (["evaluate", PENGUINS, "-m", "penguins"], "pyarrow"),
        (["predict", PENGUINS, "-m", "penguins/model.onnx"], "onnxruntime"),
        (["plot", PENGUINS, "-m", "penguins"], "matplotlib"),
        (["export", "-m", "penguins"], "onnx"),
        (["verify", "penguins"], "torch"),
        (["bench", "-m", "penguins"], "scipy"),
    ],
    ids=lambda value: value if isinstance(value, str) else value[0],
)
def test_a_command_names_the_package_that_it_lacks(bundle, tmp_path, words, missing):
    ended = run(tmp_path, *words, missing=(missing,))
    assert ended.returncode == 1
    assert ended.stderr.splitlines()[-1] == (
        f"error: linreg {words[0]} needs {missing}, which is not installed; install it with: pip install {missing} "
        "(linreg doctor lists all that is missing)"
    )


def test_inspect_needs_numpy_at_most(bundle, tmp_path):
    everything = tuple(name for name in DEPENDENCIES if name not in ("typer", "rich", "numpy"))
    for name in ("model.onnx", "model.pth", "model.torchscript", "model.pt2"):
        ended = run(tmp_path, "inspect", f"penguins/{name}", missing=everything)
        assert ended.returncode == 0, ended


@pytest.mark.parametrize("missing", [("torch", "scipy", "onnxruntime"), ("scipy",), ("numpy",)], ids=",".join)
def test_doctor_lists_what_is_missing(tmp_path, missing):
    ended = run(tmp_path, "doctor", "--json", missing=missing)
    assert ended.returncode == 0, ended.stderr
    found = json.loads(ended.stdout)
    assert found["missing"] == list(missing)
    assert "typer" in found
    if len(missing) == 3:
        assert found["broken"] == {}
        ended = run(tmp_path, "doctor", missing=missing)
        assert ended.stderr == "to install what is missing: pip install torch scipy onnxruntime\n"


@pytest.fixture
def with_broken_torch(tmp_path):
    """Runs linreg where torch is installed, but its shared library is not."""
    stub = tmp_path / "stub" / "torch"
    stub.mkdir(parents=True)
    (stub / "__init__.py").write_text("import numpy\nraise OSError('libcudart.so:\\ncannot open')\n")

    def run(*words: object) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "linreg", *map(str, words)],
            cwd=tmp_path,
            env=os.environ | {"PYTHONPATH": str(stub.parent)},
            capture_output=True,
            text=True,
            check=False,
        )

    return run


def test_doctor_names_a_package_that_cannot_be_imported(with_broken_torch):
    ended = with_broken_torch("doctor")
    assert ended.returncode == 0
    assert "torch is installed but cannot be imported: OSError: libcudart.so: cannot open\n" in ended.stderr
    assert "broken" in ended.stdout


def test_a_command_names_a_package_that_cannot_be_imported(with_broken_torch):
    ended = with_broken_torch("train", "-o", "line")
    assert ended.returncode == 1
    assert ended.stderr == (
        "error: linreg train needs torch, which is installed but cannot be imported: OSError: libcudart.so: cannot "
        "open; install it again: pip install --force-reinstall torch\n"
    )


def test_a_folder_that_pip_left_is_no_package(tmp_path, monkeypatch):
    (tmp_path / "onnxscript" / "ir").mkdir(parents=True)
    monkeypatch.setattr(sys, "path", [str(tmp_path)])
    monkeypatch.delitem(sys.modules, "onnxscript", raising=False)
    assert "onnxscript" in missing_packages()


@pytest.mark.parametrize(
    ("words", "missing"),
    [(["train", "--method", "adam", "--target", "y"], "torch"), (["plot", "-m", "penguins"], "matplotlib")],
)
def test_a_missing_package_is_named_before_the_table_is_read(bundle, tmp_path, words, missing):
    (tmp_path / "bad.csv").write_text("x,y\n1,2\n2,3\n3,inf\n")
    ended = run(tmp_path, words[0], "bad.csv", *words[1:], missing=(missing,))
    assert ended.stderr.splitlines()[-1].startswith(f"error: linreg {words[0]} needs {missing}, which is not installed")


def test_a_package_that_torch_lacks_is_no_fault_of_the_module(tmp_path):
    (tmp_path / "nets.py").write_text("from torch import nn\n\ndef net():\n    return nn.Tanh()\n")
    words = ("export", "--module", "nets.py:net", "--input", "x=float32[batch,4]", "-f", "onnx", "-o", "net")
    ended = run(tmp_path, *words, missing=("onnxscript",))
    assert ended.returncode == 1
    assert "error: linreg export needs onnxscript, which is not installed; install it with: pip" in ended.stderr
    assert not (tmp_path / "net").exists()


def test_a_package_that_a_users_module_lacks_is_told_with_its_file(tmp_path):
    (tmp_path / "nets.py").write_text("import not_there\n")
    ended = run(tmp_path, "export", "--module", "nets.py:net", "--input", "x=float32[batch,4]", "-o", "net", missing=())
    assert ended.returncode == 1
    assert "nets.py: cannot be run: ModuleNotFoundError: No module named 'not_there'" in ended.stderr
    assert "pip install" not in ended.stderr


def test_python_is_told_too_which_package_to_install(tmp_path):
    code = (
        "import sys; sys.modules['torch'] = None; import linreg; linreg.fit(([[1.0], [2.0]], [1.0, 2.0]), method='sgd')"
    )
    ended = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert ended.stderr.splitlines()[-2:] == [
        "ModuleNotFoundError: import of torch halted; None in sys.modules",
        "linreg.fit needs torch, which is not installed; install it with: pip install torch (linreg doctor lists all "
        "that is missing)",
    ]
