"""`--engine ray` without a Ray: what cannot be combined with it, and how the missing package is named."""

import subprocess
import sys
import tomllib
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet
import pytest

from linreg.dependencies import OPTIONAL

ROOT = Path(__file__).resolve().parents[2]
WITHOUT_RAY = "import sys; sys.modules['ray'] = None; from _linreg import main; main()"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A table as Parquet and as CSV, a linear bundle, and one of a module."""
    folder = tmp_path_factory.mktemp("engine")
    columns = {"a": [1.0, 2.0, 4.0, 7.0], "b": [1.0, 0.0, 2.0, 5.0], "y": [3.0, 4.0, 9.0, 1.0]}
    pyarrow.parquet.write_table(pa.table(columns), folder / "t.parquet")
    (folder / "t.csv").write_text("a,b,y\n1,1,3\n2,0,4\n4,2,9\n7,5,1\n")
    text = "from torch import nn\nclass Net(nn.Sequential):\n    def __init__(self):\n        super().__init__({})\n"
    (folder / "one.py").write_text(text.format("nn.Linear(2, 4), nn.Tanh(), nn.Linear(4, 1)"))
    (folder / "two.py").write_text(text.format("nn.Linear(2, 4), nn.Tanh(), nn.Linear(4, 2)"))
    assert run(folder, "train", "t.csv", "--target", "y", "--split", "1", "-o", "m")[0] == 0
    for name in ("one", "two"):
        words = ("export", "--module", f"{name}.py:Net", "--input", "x=float32[batch,2]", "-f", "onnx", "-o", name)
        assert run(folder, *words)[0] == 0
    return folder


def run(folder, *words, **environment):
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT_RAY, *words],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
        env={"PATH": "/usr/bin:/bin", "PYTHONPATH": str(ROOT), "HOME": str(folder), **environment},
    )
    return done.returncode, done.stderr.splitlines()[-1] if done.stderr else ""


TRAIN = ("train", "t.parquet", "--target", "y", "-o", "new")
PREDICT = ("predict", "t.parquet", "-m", "m", "-o", "p/")
RAY = ("--engine", "ray")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ((*TRAIN, "--address", "auto"), "--address is that of a Ray cluster; add --engine ray"),
        ((*TRAIN, *RAY, "--method", "adam"), "--engine ray applies to --method exact, and the method is adam"),
        ((*TRAIN, *RAY, "--memory", "1GB"), "--memory applies to --engine threads"),
        ((*TRAIN, *RAY, "--address", "auto", "--workers", "2"), "--workers applies to a Ray that is started here"),
        ((*TRAIN, *RAY, "--address", "ray://head:10001"), "--address: got 'ray://head:10001', expected HOST:PORT"),
        (("train", *RAY), "--engine belongs to a table"),
        ((*PREDICT, "--workers", "2"), "--workers applies to --engine ray"),
        (("predict", "t.parquet", "-m", "m", "-o", "p.csv", *RAY), "--engine ray writes a folder of Parquet files"),
        (("predict", "t.parquet", "-m", "m", *RAY), "--engine ray writes a folder of Parquet files"),
        ((*PREDICT, "--features", "a,b"), "--features: m is a linear model, which names its columns itself"),
        (("predict", "x.npz", "-m", "one", "-o", "o.npz", *RAY), "--engine belongs to tables"),
    ],
)
def test_what_does_not_apply_is_wrong_usage(folder, words, message):
    code, line = run(folder, *words)
    assert line.startswith(f"error: {message}"), line
    assert code == 2


def test_an_address_in_the_environment_counts(folder):
    code, line = run(folder, *TRAIN, *RAY, "--workers", "2", RAY_ADDRESS="127.0.0.1:1")
    assert (code, line.partition(":")[2][:10]) == (2, " --workers")


@pytest.mark.parametrize("words", [("train", "t.csv", "--target", "y"), ("predict", "t.csv", "-m", "m", "-o", "p/")])
def test_a_csv_is_refused_with_what_to_do(folder, words):
    code, line = run(folder, *words, *RAY)
    assert line.startswith("error: t.csv: --engine ray reads Parquet files, of which each worker takes other rows")
    assert code == 2
    assert not (folder / "p").exists()


@pytest.mark.parametrize("words", [TRAIN, PREDICT])
def test_a_missing_ray_is_named_with_its_version(folder, words):
    code, line = run(folder, *words, *RAY)
    assert line == (
        f"error: linreg {words[0]} --engine ray needs ray, which is not installed; install it with: "
        f"pip install {OPTIONAL['ray']}"
    )
    assert code == 1
    assert not (folder / "p").exists()


def test_one_version_of_ray_is_pinned_everywhere():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    lines = (ROOT / "tests" / "ray" / "constraints.txt").read_text().splitlines()
    assert project["optional-dependencies"]["ray"] == [OPTIONAL["ray"]]
    assert OPTIONAL["ray"] in lines
    assert OPTIONAL["ray"] in (ROOT / "docs" / "guides" / "scale.md").read_text()


def test_a_module_predicts_from_the_columns_that_are_named(folder):
    import numpy as np
    import onnxruntime

    words = ("predict", "t.csv", "-m", "one", "--columns", "none", "-o", "module.csv")
    assert run(folder, *words, "--features", "b,a")[0] == 0
    session = onnxruntime.InferenceSession(folder / "one" / "model.onnx")
    rows = np.array([[1, 1], [0, 2], [2, 4], [5, 7]], np.float32)
    (expected,) = session.run(None, {session.get_inputs()[0].name: rows})
    written = np.loadtxt(folder / "module.csv", skiprows=1, dtype=np.float32)
    assert np.allclose(written, expected[:, 0], rtol=1e-6)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("-m", "two", "--features", "a,b"), "two: takes x=float32[batch,2]; --features fits a module with one input"),
        (("-m", "one", "--features", "a,b,y"), "one: takes 2 columns, and --features names 3"),
        (("-m", "one", "--features", "a,z"), "t.csv: has no column 'z'"),
    ],
)
def test_a_module_that_takes_no_such_columns_is_refused(folder, words, message):
    code, line = run(folder, "predict", "t.csv", *words, "-o", "q.csv")
    assert line.startswith(f"error: {message}"), line
    assert code == 1


def test_a_module_says_how_to_name_columns(folder):
    code, line = run(folder, "predict", "t.csv", "-m", "one", "-o", "q.csv")
    assert line.endswith("; or, if its input is columns of the table, name them in order: --features a,b,c")
    assert code == 1
