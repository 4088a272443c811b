"""Loading an artifact takes a decision on trust: a program that this user did not export does not run."""

import ast
from pathlib import Path

import numpy as np
import pytest

import export
from export.formats.names import PROGRAMS, Format, file_name
from export.runners.ledger import remember
from export.runners.load import load_artifact
from export.runners.trust import Trust, trusted_bytes
from linreg.errors import ModelError, UntrustedError

ROWS = (np.ones((2, 3), np.float32),)
RUNS_A_FILE = ("torchscript_runner", "pt2_runner", "c_runner")


@pytest.fixture(autouse=True)
def empty_ledger(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))


def program(penguins: Path, kind: Format) -> bytes:
    return (penguins / file_name(kind)).read_bytes()


@pytest.mark.parametrize("kind", sorted(PROGRAMS))
def test_a_foreign_program_is_refused_before_it_is_looked_at(kind):
    with pytest.raises(UntrustedError, match=r"^net: is a program that this user did not export; .* --trust"):
        load_artifact(kind, "net", b"anything", Trust.LEDGER)


@pytest.mark.parametrize("kind", [Format.TORCHSCRIPT, Format.TORCHSCRIPT_TRACE, Format.PT2])
@pytest.mark.parametrize("trust", list(Trust))
def test_a_program_runs_where_it_is_trusted(penguins, kind, trust):
    data = program(penguins, kind)
    if trust is Trust.LEDGER:
        remember(data)
    (answers,) = load_artifact(kind, "net", data, trust).bind(ROWS).outputs()
    assert answers.shape == (2, 1)


def test_the_ledger_trusts_bytes_and_not_names(penguins):
    data = program(penguins, Format.PT2)
    remember(data)
    assert trusted_bytes(Format.PT2, "other name", data, Trust.LEDGER) == data
    with pytest.raises(UntrustedError):
        trusted_bytes(Format.PT2, "net", data + b" ", Trust.LEDGER)


@pytest.mark.parametrize("trust", [Trust.LEDGER, Trust.USER])
def test_foreign_onnx_is_first_read_in_a_child_process(trust):
    """In this process onnxruntime would refuse the bytes as soon as they are loaded."""
    runner = load_artifact(Format.ONNX, "net", b"no model", trust)
    with pytest.raises(ModelError, match="net: onnxruntime"):
        runner.bind(ROWS).outputs()


@pytest.mark.parametrize("listed", [True, False])
def test_onnx_of_this_users_own_is_loaded_in_this_process(listed):
    if listed:
        remember(b"no model")
    with pytest.raises(ModelError, match="net: onnxruntime"):
        load_artifact(Format.ONNX, "net", b"no model", Trust.LEDGER if listed else Trust.MADE_HERE)


def test_trust_is_decided_in_one_place():
    """Only load.py, and the process of a benchmark, which is given trusted files, call what loads a program."""
    packages = Path(export.__file__).parents[1]
    callers = {
        path.relative_to(packages).as_posix()
        for package in ("linreg", "export", "bench")
        for path in (packages / package).rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in RUNS_A_FILE
    }
    assert callers == {"export/runners/load.py", "bench/worker/building.py"}
