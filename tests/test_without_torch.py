"""Without torch: an .onnx file is verified beside four packages alone, and the affine way needs no extra."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import numpy_helper

from tests.conftest import PENGUINS, forge

HERE = Path(__file__).resolve().parents[1]
NEEDED = ("numpy", "onnx", "onnxruntime", "typer")


def pinned(name: str) -> str:
    lines = (HERE / "constraints.txt").read_text().splitlines()
    return next(line for line in lines if line.startswith(f"{name}=="))


@pytest.fixture(scope="module")
def python(tmp_path_factory):
    """A virtual environment with linreg installed by --no-deps, and no torch."""
    folder = tmp_path_factory.mktemp("without-torch")
    subprocess.run([sys.executable, "-m", "venv", folder / "venv"], check=True)
    python = folder / "venv" / "bin" / "python"
    install = [python, "-m", "pip", "install", "--quiet"]
    subprocess.run([*install, *map(pinned, NEEDED)], check=True)
    subprocess.run([*install, "--no-deps", HERE], check=True, cwd=folder)
    return python


def verify(python, path):
    return subprocess.run(
        [python, "-m", "linreg", "verify", path], capture_output=True, text=True, cwd="/", check=False
    )


@pytest.mark.slow
def test_it_passes_and_fails_without_torch(python, bundle):
    assert subprocess.run([python, "-c", "import torch"], capture_output=True, check=False).returncode != 0
    good = verify(python, bundle / "model.onnx")
    assert (good.returncode, good.stderr) == (0, "")
    assert "test vectors" in good.stdout

    data = bytearray((bundle / "model.onnx").read_bytes())
    place = data.index(b"linear_layer.weight") + 30
    data[place] ^= 1
    (bundle / "model.onnx").write_bytes(data)
    changed = verify(python, bundle / "model.onnx")
    assert changed.returncode == 3
    assert "model.onnx: has sha256" in changed.stderr


@pytest.mark.slow
def test_the_vectors_see_a_weight_that_the_rest_was_made_to_hide(python, bundle):
    """A hostile change that mends the card, the manifest and SHA256SUMS as well: the answers give it away."""
    model = onnx.load(bundle / "model.onnx")
    weight = numpy_helper.to_array(model.graph.initializer[0]).copy()
    weight[0, 0] *= np.float32(1.001)
    model.graph.initializer[0].CopyFrom(numpy_helper.from_array(weight, model.graph.initializer[0].name))
    card = json.loads((bundle / "card.json").read_text())
    forge(bundle, model_onnx=model.SerializeToString())
    assert "has coefficients that differ from its card" in verify(python, bundle / "model.onnx").stderr
    card["coefficients"][0]["value"] = float(weight[0, 0])
    forge(bundle, card_json=json.dumps(card).encode())
    hidden = verify(python, bundle / "model.onnx")
    assert hidden.returncode == 3
    assert "test_data_set_0: output at" in hidden.stderr


@pytest.mark.slow
def test_doctor_and_other_commands_name_what_is_missing(python, bundle, tmp_path):
    def run(*words):
        command = [python, "-m", "linreg", *words]
        return subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, check=False)

    doctor = run("doctor")
    assert doctor.returncode == 0
    assert doctor.stderr == (
        "to install what is missing: pip install torch scipy onnxscript pyarrow matplotlib jinja2 msgspec\n"
    )
    assert run("inspect", "penguins/model.onnx").returncode == 0
    for words, package in (
        (["train", "-o", "line"], "pyarrow"),
        (["verify", "penguins"], "torch"),
        (["evaluate", PENGUINS, "-m", "penguins"], "pyarrow"),
        (["predict", PENGUINS, "-m", "penguins/model.onnx"], "pyarrow"),
    ):
        ended = run(*words)
        assert ended.returncode == 1
        assert f"linreg {words[0]} needs {package}, which is not installed; install it with" in ended.stderr


@pytest.mark.slow
def test_a_plain_installation_fits_exports_and_verifies(tmp_path):
    subprocess.run([sys.executable, "-m", "venv", tmp_path / "venv"], check=True)
    python = tmp_path / "venv" / "bin" / "python"
    install = [python, "-m", "pip", "install", "--quiet", "--constraint", HERE / "constraints.txt"]
    subprocess.run([*install, HERE], check=True, cwd=tmp_path)

    def run(*words):
        command = [python, "-m", "linreg", *words]
        return subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, check=False)

    for words in (
        ["train", PENGUINS, "--target", "body_mass_g", "-o", "penguins"],
        ["export", "-m", "penguins", "--format", "onnx"],
        ["verify", "penguins"],
        ["evaluate", PENGUINS, "-m", "penguins"],
        ["predict", PENGUINS, "-m", "penguins", "-o", "predicted.csv"],
    ):
        ended = run(*words)
        assert ended.returncode == 0, ended.stderr
    assert run("doctor").stderr == "to install what is missing: pip install torch onnxscript matplotlib\n"
    for words, package in (
        (["train", "-o", "line"], "torch"),
        (["export", "-m", "penguins", "--format", "pt2"], "torch"),
        (["plot", PENGUINS, "-m", "penguins"], "matplotlib"),
    ):
        ended = run(*words)
        assert ended.returncode == 1
        assert f"needs {package}, which is not installed; install it with: pip install {package}" in ended.stderr
