"""Which model a command takes, and what a path that is none is told."""

import json
import shutil
from pathlib import Path

import pytest

from tests.conftest import PENGUINS, TESTS, contents

NETS = TESTS / "nets.py"
ASKED = "name one with -m BUNDLE, or train it first: linreg train"


@pytest.mark.parametrize("words", [["predict", PENGUINS], ["evaluate", PENGUINS], ["evaluate"], ["plot"]], ids=str)
def test_a_forgotten_model_is_asked_for_and_no_line_is_trained(linreg, tmp_path, words):
    message = linreg(*words).failure()
    table = f" for {PENGUINS}" if PENGUINS in words else ""
    assert message == f"error: no model was given{table}, and artifacts/linreg does not exist; {ASKED}"
    assert contents(tmp_path) == {}


def test_verify_asks_for_a_bundle(linreg, tmp_path):
    assert (
        "no bundle was given, and artifacts/linreg does not exist; name one: linreg verify"
        in linreg("verify").failure()
    )
    assert contents(tmp_path) == {}


@pytest.mark.parametrize("command", ["predict", "evaluate", "plot"])
def test_a_table_that_the_default_bundle_does_not_know_is_told_whose_columns_were_looked_for(linreg, command):
    linreg("train", "--epochs", "5")
    ended = linreg(command, PENGUINS)
    assert (ended.code, ended.out) == (1, "")
    first, last = ended.err.splitlines()
    assert first == "no model was given: using artifacts/linreg; choose another with -m BUNDLE"
    assert "has no column 'x'" in last


@pytest.mark.parametrize("command", ["predict", "evaluate", "plot"])
@pytest.mark.usefixtures("bundle")
def test_a_model_in_the_place_of_the_table(linreg, command):
    for name, kind in (("penguins", "a bundle"), ("penguins/model.onnx", "an exported file"), (".", "a folder")):
        message = linreg(command, name).failure()
        assert f"{name}: is {kind}, expected a table with the model's columns" in message
        assert f"TABLE -m {name}" in message


@pytest.fixture
def towers(linreg, tmp_path):
    """The bundle of a module of somebody's own."""
    words = [
        "--module",
        f"{NETS}:make_two_towers",
        "--input",
        "user=float32[batch,4]",
        "--input",
        "item=float32[batch,6]",
    ]
    assert linreg("export", *words, "-o", "towers").code == 0
    return tmp_path / "towers"


def test_a_bundle_of_a_module_is_told_what_can_be_done_with_it(linreg, towers):
    before = contents(towers)
    shown = [
        ["bench", "-m"],
        ["evaluate", "-m"],
        ["plot", PENGUINS, "-m"],
        ["export", "-m"],
    ]
    for words in shown:
        for path in ("towers", "towers/model.pth"):
            message = linreg(*words, path).failure()
            assert f"{path}: holds a module that was exported with --module" in message
            assert "linreg verify towers" in message
            assert "linreg bench -m towers --module nets.py:make_two_towers" in message
            assert message.endswith("or, for another format, linreg export --module as before")
            assert len(message) < 230
    assert contents(towers) == before
    (towers / "model.pth").write_bytes(b"cut")
    assert "towers/model.pth: has sha256" in linreg("evaluate", "-m", "towers").failure(3)


def test_a_bare_linear_state_dict_is_no_such_module(linreg, bundle, tmp_path):
    shutil.copy(bundle / "model.pth", tmp_path / "mine.pth")
    assert linreg("export", "-m", "mine.pth", "-o", "moved").code == 0
    assert "has no card.json" in linreg("predict", PENGUINS, "-m", "moved").failure()
    assert linreg("export", "-m", "moved", "-f", "torchscript").code == 0


@pytest.mark.parametrize("command", ["export", "bench", "evaluate", "plot", "predict"])
@pytest.mark.usefixtures("bundle")
def test_a_path_that_is_no_model_is_told_what_it_is(linreg, tmp_path, command):
    shutil.copy(PENGUINS, "my table.csv")
    Path("nets.py").write_text("")
    shutil.copy("penguins/model.onnx", "alone.onnx")
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "net.pth").write_text("")
    expected = {
        "my table.csv": "is a table, expected a model: a bundle or .pth; train one on it: linreg train 'my table.csv'",
        "penguins/card.json": "is the card of a bundle, expected the bundle; use -m penguins",
        "penguins/manifest.json": "is the manifest of a bundle, expected the bundle; use -m penguins",
        "nets.py": "is Python code, expected a bundle or .pth",
        "folder": "folder: has no model.pth; did you mean folder/net.pth?",
    }
    if command != "predict":
        expected["penguins/model.onnx"] = "is an exported file, and this command needs its bundle; use -m penguins"
        expected["alone.onnx"] = "there is no model.pth beside it"
    before = contents(tmp_path)
    rows = [] if command in ("export", "bench") else [PENGUINS]
    for path, message in expected.items():
        assert message in linreg(command, *rows, "-m", path).failure()
    assert contents(tmp_path) == before


def test_verify_says_what_to_type_for_what_is_no_bundle(linreg, bundle, tmp_path):
    shutil.copy(PENGUINS, "penguins.csv")
    shutil.copy(bundle / "model.pth", tmp_path / "net.pth")
    Path("nets.py").write_text("")
    for path, message in {
        "penguins.csv": "is a table, expected a bundle or an artifact in one; to verify a bundle with these rows: "
        "linreg verify BUNDLE --data penguins.csv",
        "net.pth": "is a state_dict without a manifest.json beside it, expected a bundle or an artifact in one; "
        "export it first, which verifies what is written: linreg export -m net.pth -o net",
        "nets.py": "is Python code, expected a bundle or an artifact in one; "
        "to export a module of it: linreg export --module nets.py:NAME -o BUNDLE",
    }.items():
        assert linreg("verify", path).failure() == f"error: {path}: {message}"


def test_rows_for_a_fixed_batch_are_refused(linreg, bundle):
    assert linreg("export", "-m", bundle, "--static", "-o", "static").code == 0
    message = linreg("verify", "static", "--data", PENGUINS).failure(2)
    assert "--data needs a dynamic batch size, and that of model.onnx is fixed" in message


def test_inspect_names_what_in_a_folder_can_be_inspected(linreg, bundle, tmp_path):
    message = linreg("inspect", "penguins").failure()
    assert "penguins: is a folder, expected a file; name one in it: penguins/model.onnx, penguins/model.pt2" in message
    (tmp_path / "empty").mkdir()
    assert (
        "it has no file with the suffix .onnx, .torchscript, .pt2, .c, .mjs, .sql, .pth"
        in linreg("inspect", "empty").failure()
    )
    assert f"it is a table: linreg train {PENGUINS} --target COLUMN" in linreg("inspect", PENGUINS).failure()
    assert "it is the card of a bundle, a text" in linreg("inspect", bundle / "card.json").failure()
    shutil.copy(bundle / "model.onnx", "named.csv")
    assert linreg("inspect", "named.csv").code == 0, "the contents decide, not the name"


def test_compare_says_what_it_got(linreg, bundle, tmp_path, measured, report):
    asked = measured(report)
    shutil.copy(PENGUINS, "old.csv")
    shutil.copy(bundle / "card.json", "renamed.json")
    for path, message in {
        "penguins/card.json": "penguins/card.json: is the card of a bundle, expected a bench.json",
        "penguins/manifest.json": "penguins/manifest.json: is the manifest of a bundle, expected a bench.json",
        "renamed.json": "renamed.json: is the card of a bundle",
        "penguins": "--compare: penguins is a folder, expected a report; use penguins/bench.json",
        "old.csv": "--compare: old.csv is a table, expected a bench.json",
        "penguins/model.onnx": "is an exported file, expected a bench.json",
    }.items():
        assert message in linreg("bench", "-m", bundle, "-o", "new", "--compare", path).failure()
    damaged = json.loads(json.dumps(report))
    del damaged["comparisons"][0]["rows"][1]["ratio"]
    Path("old.json").write_text(json.dumps(damaged))
    message = linreg("bench", "-m", bundle, "-o", "new", "--compare", "old.json", "--fail-slower", "3%").failure()
    assert message.startswith(
        "error: old.json: is a damaged report: comparisons[0].rows[1].ratio is missing; restore it"
    )
    assert asked == []
