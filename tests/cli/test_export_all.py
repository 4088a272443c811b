"""`--format all` writes source code too, where it can be written and verified; otherwise a note says why not."""

import json
import shutil
from pathlib import Path

import pytest
import torch

from export.bundle import write
from linreg import export, verify
from linreg.errors import LinregError, MismatchError
from tests.conftest import contents

SOURCES = {"model.c", "model.h", "model.mjs", "model.d.mts", "model.sql"}
NO_NODE = "js: found no node"
NO_COMPILER = "c: found no C compiler 'no-compiler'"


@pytest.fixture
def without_node(monkeypatch):
    which = shutil.which
    monkeypatch.setattr(shutil, "which", lambda name: None if name == "node" else which(name))


def names(folder):
    return {Path(name).name for name in contents(Path(folder))} & SOURCES


def test_a_linear_model_is_written_in_every_format(linreg, bundle):
    ended = linreg("export", "-m", bundle, "--format", "all", "-o", "b", "--json")
    assert ended.code == 0, ended.err
    shown = json.loads(ended.out)
    assert [entry["format"] for entry in shown["artifacts"]][4:] == ["c", "js", "sql"]
    assert (shown["refused"], shown["left_out"]) == ({}, {})
    assert names("b") == SOURCES


def test_a_missing_program_leaves_one_format_out(linreg, bundle, without_node, monkeypatch):
    ended = linreg("export", "-m", bundle, "--format", "all", "-o", "b")
    assert (ended.code, ended.err.count(NO_NODE)) == (0, 1), ended.err
    assert names("b") == {"model.c", "model.h", "model.sql"}
    assert "refused" not in ended.out
    monkeypatch.setenv("CC", "no-compiler")
    ended = linreg("export", "-m", bundle, "--format", "all", "-o", "neither", "--json")
    left_out = json.loads(ended.out)["left_out"]
    assert {kind: error.split(",")[0] for kind, error in left_out.items()} == {"c": NO_COMPILER, "js": NO_NODE}


@pytest.mark.parametrize("words", [["-f", "js"], ["-f", "all", "-f", "c"], ["-f", "all", "--prefix", "mass"]])
def test_a_format_that_is_named_is_refused(linreg, bundle, without_node, monkeypatch, words):
    monkeypatch.setenv("CC", "no-compiler")
    expected = NO_NODE if "js" in words else NO_COMPILER
    assert expected in linreg("export", "-m", bundle, *words, "-o", "b").failure()
    assert not Path("b").exists()


def test_wrong_outputs_are_an_error_all_the_same(linreg, bundle, monkeypatch):
    proved = write.verify

    def wrong(runner, *given, **settings):
        if runner.name == "model.sql":
            raise MismatchError("model.sql: 'output' at row 0 differs")
        return proved(runner, *given, **settings)

    monkeypatch.setattr(write, "verify", wrong)
    ended = linreg("export", "-m", bundle, "--format", "all", "-o", "b")
    assert ended.code == 3
    assert names("b") == SOURCES - {"model.sql"}


def test_in_python_a_note_names_all_that_were_left_out(bundle, tmp_path):
    found = []
    made = export(bundle, tmp_path / "b", formats=["all"], dtype="float16", note=found.append)
    expected = "c, js, sql: takes no float16, expected float32 or float64; use --dtype float32, or onnx"
    assert found == [expected]
    assert len([entry for entry in made.manifest.files if entry.proof and "error" in str(entry.proof)]) == 4
    with pytest.raises(LinregError, match="sql: takes no float16"):
        export(bundle, tmp_path / "c", formats=["all", "sql"], dtype="float16")


def test_an_earlier_file_of_a_module_goes_with_its_inputs(tmp_path):
    module, inputs = torch.nn.Linear(2, 1), "x=float32[batch,2]"
    export(module, tmp_path / "b", inputs=inputs, formats=["onnx", "sql"])
    assert names(tmp_path / "b") == {"model.sql"}
    found = []
    export(module, tmp_path / "b", inputs=inputs, formats="all", static=True, note=found.append)
    assert found[-1] == "c, js, sql: the function takes any number of rows; leave out --static"
    assert not names(tmp_path / "b")
    verify(tmp_path / "b")


def test_source_code_does_not_need_onnxruntime(linreg):
    """It has no Erf for float64."""
    Path("gelu.py").write_text(
        "from torch import nn\n\n\ndef make():\n    return nn.Sequential(nn.Linear(2, 1), nn.GELU()).double()\n"
    )
    words = ["--module", "gelu.py:make", "--input", "x=float64[batch,2]", "--format", "all", "--budget", "1s"]
    shown = json.loads(linreg("export", *words, "-o", "b", "--json").out)
    assert list(shown["refused"]) == ["onnx"]
    assert shown["left_out"] == {}
    assert names("b") == SOURCES
    verify("b")
