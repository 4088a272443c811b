"""An output is a path on this machine: a URI is refused before anything is written or computed."""

import re
from pathlib import Path

import pytest

import linreg as package
from linreg.errors import LinregError
from linreg.files import write_atomic
from tests.conftest import PENGUINS, TESTS

STORE = "is a URI, expected a path on this machine; write to one, then copy it with the tool of your storage"
MODULE = ["--module", f"{TESTS / 'nets.py'}:make_mlp", "--input", "x=float32[batch,16]"]
COMMANDS = {
    "predict": ["predict", PENGUINS],
    "train": ["train", PENGUINS, "--target", "body_mass_g"],
    "plot": ["plot"],
    "bench": ["bench"],
    "export": ["export", *MODULE],
    "bisect": ["bisect", "bundle"],
    "demo": ["demo"],
}


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize(
    ("uri", "problem"),
    [
        ("s3://b/x.csv", f"s3://b/x.csv: {STORE}"),
        ("gs://b/folder/", f"gs://b/folder.*: {STORE}"),
        ("file:///a/x.csv", "file:///a/x.csv: is a URI, expected a path on this machine; give it as /a/x.csv"),
    ],
)
def test_a_uri_is_no_output(linreg, command, uri, problem):
    ended = linreg(*COMMANDS[command], "-o", uri)
    assert (ended.code, ended.out) == (2, "")
    (line,) = ended.err.splitlines()
    assert re.match(f"error: --output: {problem}; see: linreg {command} --help$", line)
    assert list(Path().iterdir()) == []


def test_python_refuses_a_uri(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    model = package.fit(([[1.0], [2.0], [4.0]], [1.0, 3.0, 4.0]), split=1)
    for write in (
        lambda: model.save("s3://b/m"),
        lambda: package.export(model, "gs://b/m"),
        lambda: write_atomic(Path("s3://b/m"), b"a"),
    ):
        with pytest.raises(LinregError, match="is a URI, expected a path on this machine"):
            write()
    assert list(tmp_path.iterdir()) == []


def test_a_colon_alone_makes_no_uri(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("c:x", "c:/x", "s3:x", "a/s3:/x"):
        write_atomic(Path(name), b"a")
        assert Path(name).read_bytes() == b"a"
