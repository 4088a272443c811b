"""A missing package is named with the command that installs it; `doctor` lists all that are missing."""

import json
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from linreg.cli.dependencies import DEPENDENCIES
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


def test_doctor_lists_what_is_missing(tmp_path):
    missing = ("torch", "scipy", "onnxruntime")
    ended = run(tmp_path, "doctor", missing=missing)
    assert ended.returncode == 0
    assert ended.stderr == "to install what is missing: pip install torch scipy onnxruntime\n"
    found = json.loads(run(tmp_path, "doctor", "--json", missing=missing).stdout)
    assert found["missing"] == list(missing)
    assert not found.keys() & missing
    assert "typer" in found


def test_a_package_that_a_users_module_lacks_is_told_with_its_file(tmp_path):
    (tmp_path / "nets.py").write_text("import not_there\n")
    ended = run(tmp_path, "export", "--module", "nets.py:net", "--input", "x=float32[batch,4]", "-o", "net", missing=())
    assert ended.returncode == 1
    assert "nets.py: cannot be run: ModuleNotFoundError: No module named 'not_there'" in ended.stderr
    assert "pip install" not in ended.stderr
