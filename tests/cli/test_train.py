"""`linreg train`: what it learns, shows and writes, and what it leaves alone."""

import json

import pytest
import torch

from tests.cli.test_commands import MODEL_AND_RECORDS, contents, names
from tests.conftest import FEATURES, PENGUINS

DESIGN_FIGURES = [
    (["--architecture", "parameter", "--epochs", "100"], 0.5784404277801514, 0.3513098657131195),
    (["--architecture", "linear", "--epochs", "1000"], 0.6968093514442444, 0.3025088608264923),
    (
        [
            "--architecture",
            "parameter",
            "--weight",
            "0.3",
            "--bias",
            "0.9",
            "--step",
            "0.01",
            "--epochs",
            "300",
            "--test-every",
            "20",
        ],
        0.3066880404949188,
        0.9010599851608276,
    ),
]


@pytest.mark.parametrize(("words", "weight", "bias"), DESIGN_FIGURES)
def test_the_courses_figures(linreg, tmp_path, words, weight, bias):
    assert linreg("train", *words, "--device", "cpu", "-o", "D").code == 0
    state = torch.load(tmp_path / "D" / "model.pth", weights_only=True)
    assert [value.item() for value in state.values()] == [weight, bias]


def test_train_shows_what_was_learned_and_what_comes_next(linreg, tmp_path):
    ended = linreg("train", "--epochs", "20", "--device", "cpu", "-o", "my models")
    assert (ended.code, ended.err) == (0, "")
    for text in ("coefficient", "(bias)", "true", "RMSE", "saved: my models/model.pth", "-m 'my models'"):
        assert text in ended.out
    assert names(tmp_path / "my models") == MODEL_AND_RECORDS


def test_train_names_the_columns_used_and_those_left_out(linreg):
    ended = linreg("train", PENGUINS, "--target", "body_mass_g", "-o", "b")
    assert "'body_mass_g' from 'bill_length_mm', 'bill_depth_mm', 'flipper_length_mm', 'year'" in ended.err
    assert "left out: 'species': row 1 is 'Adelie', not a number" in ended.err
    assert "note: 2 of 344 rows have no value in a used column and are left out" in ended.err


def test_json_has_the_columns_left_out_with_their_reasons(linreg, table):
    rows = [f"id{row},{row},{row * row},{row % 3}" for row in range(6)]
    path = table("name,x,z,y", *rows)
    words = ["train", path, "--target", "y", "--split", "1", "--json"]
    expected = [{"name": "name", "reason": "row 1 is 'id0', not a number"}]
    assert json.loads(linreg(*words, "-o", "a").out)["left_out"] == expected
    chosen = json.loads(linreg(*words, "--features", "x", "-o", "b").out)["left_out"]
    assert chosen == [{"name": name, "reason": "not among the features"} for name in ("name", "z")]
    assert "left_out" not in json.loads(linreg("train", "--epochs", "1", "--device", "cpu", "-o", "c", "--json").out)


def test_a_table_of_many_columns_floods_nothing(linreg, table):
    names = [f"c{place}" for place in range(5000)]
    path = table(",".join([*names, "y"]), *(",".join(["a"] * 4000 + ["1"] * 999 + [row, row]) for row in "1243"))
    ended = linreg("train", path, "--target", "y", "--features", "c4999", "--split", "1", "-o", "b")
    shown = ", ".join(f"'c{place}'" for place in range(10))
    assert ended.err.splitlines()[1] == f"ignored columns: {shown} and 4,989 more (not in --features)"
    assert len(ended.err.splitlines()) < 6
    message = linreg("train", path, "--target", "y", "--allow-collinear", "--split", "1", "-o", "c")
    assert message.err.splitlines()[0].endswith("'c4007' and 992 more")
    assert "left out: 'c9': row 1 is 'a', not a number" in message.err
    assert "'c10'" not in message.err
    assert "left out: and 3,990 more; --json lists them all" in message.err
    assert len(message.err.splitlines()) < 15


def test_sgd_comes_near_the_exact_fit(linreg, penguins):
    ended = linreg(
        "train", PENGUINS, "--target", "body_mass_g", "--features", FEATURES, "--method", "sgd", "-o", "s", "--json"
    )
    learned = json.loads(ended.out)["metrics"]
    exact = json.loads((penguins / "card.json").read_text())["metrics"]
    for part in ("train", "test"):
        assert learned[part]["mae"] == pytest.approx(exact[part]["mae"], rel=0.05)


def test_a_column_with_a_comma_can_be_named(linreg, table):
    path = table('"a,b",c,y', "1,2,1", "2,1,3", "3,5,2", "4,3,5", "5,8,6")
    ended = linreg("train", path, "--target", "y", "--features", '"a,b"', "--split", "1", "-o", "b", "--json")
    assert json.loads(ended.out)["features"] == ["a,b"]


def test_hostile_column_names_are_shown_not_obeyed(linreg, table):
    path = table("[/],\x1b[31mred,y", "1,2,1", "2,1,3", "3,5,2", "4,3,5", "5,8,6", "6,7,1")
    ended = linreg("train", path, "--target", "y", "--split", "1", "-o", "b")
    assert ended.code == 0
    assert "\x1b" not in ended.out + ended.err
    assert "[/]" in ended.out
    assert r"\x1b[31mred" in ended.out
    assert linreg("plot", path, "-m", "b").code == 0


@pytest.mark.parametrize(
    ("lines", "words", "message"),
    [
        (None, [], "table.csv: no such file"),
        ([], [], "is empty, expected a CSV"),
        (["a,y"], [], "has a header but 0 rows"),
        (["a,y", "1,2"], [], "1 complete row"),
        (["a,y", "1,2", "2,1", "3,3"], ["--features", "A"], "has no column 'A'; did you mean 'a'?"),
        (["a,y", "1,2", "2,1", "3,3"], ["--features", "a,y"], "the target 'y' is among the features"),
        (["a,y", "1,2", "2,1", "x,3", "4,4", "5,5"], [], "column 'a': row 3 is 'x', not a number"),
        (["a,y", "1,2", "2,inf", "3,3"], [], "column 'y': row 2 is 'inf', expected a finite number"),
        (["a,y", "1,2", "2,2", "3,2"], [], "the target 'y' is 2 in every row"),
        (["a,b,y", "1,2,1", "2,1,2", "3,3,3"], ["--split", "1", "--features", "a,b,a"], "is named twice"),
        (["a,b,c,y", "1,2,5,1", "2,1,4,2", "3,3,3,3"], ["--split", "1"], "3 rows for 4 parameters"),
        (["a,b,y", "1,2,1", "2,4,3", "3,6,2", "4,8,5"], ["--split", "1"], "linear combinations of each other"),
        (["a,y", "1,2", "2,1", "3,3"], ["--split", "0.1"], "give parts of 0/3 complete rows"),
    ],
)
def test_a_bad_table_is_one_line_and_nothing_is_written(linreg, table, tmp_path, lines, words, message):
    path = tmp_path / "table.csv" if lines is None else table(*lines)
    before = names(tmp_path)
    assert message in linreg("train", path, "--target", "y", *words, "-o", "b").failure()
    assert names(tmp_path) == before


def test_divergence_writes_nothing(linreg, tmp_path):
    words = ["train", PENGUINS, "--target", "body_mass_g", "--method", "sgd", "--lr", "1e9", "-o", "b"]
    assert "the loss became" in linreg(*words).failure()
    assert list(tmp_path.iterdir()) == []


def test_divergence_keeps_the_bundle_that_was_there(linreg, bundle):
    before = contents(bundle)
    words = ["train", PENGUINS, "--target", "body_mass_g", "--method", "sgd", "--lr", "1e9", "-o", bundle, "--force"]
    linreg(*words).failure()
    assert contents(bundle) == before


def test_training_into_a_bundle_with_artifacts_asks_first_and_then_removes_them(linreg, bundle):
    before = contents(bundle)
    words = ["train", PENGUINS, "--target", "body_mass_g", "-o", bundle]
    message = linreg(*words).failure()
    artifacts = "model.onnx, model.pt2, model.torchscript, model.traced.torchscript"
    assert f"holds artifacts of the old weights ({artifacts}); use --force" in message
    assert contents(bundle) == before
    assert linreg(*words, "--force").code == 0
    assert names(bundle) == MODEL_AND_RECORDS
