"""What `linreg.fit`, `load` and a fitted model take, and how they refuse anything else, in the words of Python."""

import inspect
import re
from pathlib import Path

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
import torch

import linreg
from linreg.in_python import WORDS, _argument
from tests.conftest import PENGUINS

ROWS = 40


@pytest.fixture(scope="module")
def table():
    """t = 2 a - b + 1, with an index that is no range."""
    random = np.random.default_rng(5)
    a, b = random.normal(size=(2, ROWS))
    return pd.DataFrame({"a": a, "b": b, "t": 2 * a - b + 1}, index=[f"row {place}" for place in range(ROWS)])


def values(model):
    return {entry.name: pytest.approx(entry.value, abs=1e-5) for entry in model.coefficients}


FOUND = {"a": 2, "b": -1, "(bias)": 1}


def test_the_names_of_a_pair_come_from_pandas(table):
    model = linreg.fit((table[["a", "b"]], table["t"]))
    assert values(model) == FOUND
    assert model.card.target == "t"
    assert linreg.fit((table[["a", "b"]], table[["t"]])).card.target == "t"
    assert linreg.fit((table["a"], table["t"])).card.features == ("a",)


def test_the_names_of_a_pair_come_from_polars_and_arrow(table):
    polars = pl.from_pandas(table)
    model = linreg.fit((polars[["a", "b"]], polars["t"]))
    assert (values(model), model.card.target) == (FOUND, "t")
    arrow = pa.table({name: table[name].to_numpy() for name in ("a", "b")})
    model = linreg.fit((arrow, table["t"].to_numpy()))
    assert (values(model), model.card.target) == (FOUND, "y")


def test_names_that_are_given_come_first_and_numbers_are_no_names(table):
    pair = (table[["a", "b"]], table["t"])
    named = linreg.fit(pair, feature_names=["p", "q"], target="r").card
    assert (named.features, named.target) == (("p", "q"), "r")
    counted = pd.DataFrame(table[["a", "b"]].to_numpy())
    assert linreg.fit((counted, counted[0] * 3 + counted[1])).card.features == ("x0", "x1")


def test_rows_in_another_order_are_refused(table):
    shuffled = table["t"].sample(frac=1, random_state=1)
    with pytest.raises(linreg.DataError, match=r"^y: its index differs from the index of X.*y\.loc\[X\.index\]"):
        linreg.fit((table[["a", "b"]], shuffled))
    assert values(linreg.fit((table[["a", "b"]], shuffled.loc[table.index]))) == FOUND


def test_a_mapping_of_columns_is_a_table():
    columns = {"x": [1.0, 2.0, 3.0, 4.0, 5.0], "y": np.array([3.0, 5.0, 7.0, 9.0, 11.0])}
    model = linreg.fit(columns, target="y")
    assert values(model) == {"x": 2, "(bias)": 1}
    assert model.predict({"x": torch.tensor([10.0])})["predicted"].to_pylist() == pytest.approx([21], abs=1e-4)


@pytest.mark.parametrize(
    ("split", "text", "parts"),
    [
        (0.7, "0.7", {"train": 28, "test": 12}),
        (np.float32(0.5), "0.5", {"train": 20, "test": 20}),
        ((0.7, 0.3), "0.7", {"train": 28, "test": 12}),
        ([0.7, 0.15, 0.15], "0.7/0.15/0.15", {"train": 28, "validation": 6, "test": 6}),
        (1, "1", {"train": 40}),
        ("0.7", "0.7", {"train": 28, "test": 12}),
    ],
)
def test_a_split_is_a_number_or_several(table, split, text, parts):
    model = linreg.fit(table, target="t", split=split)
    assert model.card.data["split"] == text
    assert {name: part["rows"] for name, part in model.metrics.items()} == parts


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"target": 3}, "target: got int, expected the name of a column"),
        ({"target": pd.Series([1.0])}, r"target: got Series, expected the name of a column; .*fit\(\(X, y\)\)"),
        ({"features": [1]}, "features: got 1 in the list, expected column names"),
        ({"features": 1}, "features: got int, expected a list of column names"),
        ({"features": "a"}, r"features: got 'a', expected a list of column names: \['a'\]"),
        ({"features": ["a b"]}, "has no column 'a b'; separate names with commas: a,b"),
        ({"features": ["a", "t"]}, "leave it out of features$"),
        ({"split": 7}, "^split: got '7.0', expected a train fraction"),
        ({"split": None}, "^split: got 'None', expected"),
        ({"split": (0.7, 0.2)}, "^split: got '0.7/0.2', expected"),
        ({"split": (0.99, 0.005, 0.005)}, "^split: 40 rows give parts of .* or split=1$"),
        ({"method": "sgd", "lr": "0.1"}, "^lr: got '0.1', expected a number"),
        ({"method": "sgd", "epochs": 1.5}, "^epochs: got 1.5, expected a whole number"),
        ({"method": "sgd", "batch_size": 0}, "^batch_size: got 0, expected at least 1"),
        ({"method": "lbfgs", "batch_size": 5}, '^batch_size: .*; leave it out, or use method="adam"$'),
        ({"architecture": "parameter", "features": ["a"], "bias": False}, 'use architecture="linear" with bias=False$'),
    ],
)
def test_what_fit_cannot_use_is_refused_in_one_line(table, options, message):
    with pytest.raises(linreg.LinregError, match=message) as caught:
        linreg.fit(table, **{"target": "t", **options})
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("arguments", [(np.ones((3, 2)), np.ones(3)), (torch.ones(3, 2),), ([[1.0], [2.0]],)])
def test_arrays_that_are_no_pair_are_told_how(arguments):
    with pytest.raises(linreg.LinregError, match=r"fit\(\(X, y\)\)$"):
        linreg.fit(*arguments)


@pytest.mark.parametrize(
    ("use", "message"),
    [
        (lambda: linreg.load(None), "path: got NoneType, expected a path"),
        (lambda: linreg.fit(linreg.straight_line()).save(None), "folder: got NoneType, expected a path"),
        (lambda: linreg.straight_line(weight="x"), "weight: got 'x', expected a number"),
        (lambda: linreg.fit({"x": [1.0, 2.0], "y": [1.0]}, target="y"), "dict: is not a table of columns by name"),
        (lambda: linreg.load("bundle/model.onnx"), r"model\.onnx: is an exported file.*; load its bundle: bundle"),
        (lambda: linreg.fit("pengiuns.csv", target="y"), r"no such file; did you mean penguins\.csv\?"),
        (lambda: linreg.fit("zzz.csv", target="y"), "no such file; check the name and the folder"),
    ],
)
def test_other_wrong_arguments(use, message, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("penguins.csv").write_bytes(PENGUINS.read_bytes())
    Path("bundle").mkdir()
    with pytest.raises(linreg.LinregError, match=message):
        use()


@pytest.mark.parametrize(
    ("option", "argument"),
    [
        ("use --force, or another -o BUNDLE", "use force=True, or another folder"),
        ("choose another folder with -o", "choose another folder"),
        ("add --trust (in Python: trust=True)", "add trust=True"),
        ("--input-names: got 3", "input_names: got 3"),
        ("--input: got 'x'", "inputs: got 'x'"),
        ("use --dtype float64, or rescale", 'use dtype="float64", or rescale'),
        ("try --lr 1e-05, --loss huber", 'try lr=1e-05, loss="huber"'),
        ("another --seed or --split", "another seed or split"),
        (
            "run: linreg export -m net --force; or use --static",
            "run: linreg export -m net --force; or use static=True",
        ),
    ],
)
def test_options_become_arguments(option, argument):
    assert WORDS.sub(_argument, option) == argument


def test_the_command_line_keeps_its_own_words(linreg):
    message = linreg("train", PENGUINS, "--target", "body_mass_g", "--features", "species year").failure()
    assert "separate names with commas: species,year" in message
    message = linreg("train", "--lr", "1e20", "--loss", "mse", "-o", "line").failure()
    assert "with --lr 1e+20" in message and "--loss huber, or --method exact" in message


def test_the_command_line_suggests_names_and_how_to_train(linreg, tmp_path):
    (tmp_path / "penguins.csv").write_bytes(PENGUINS.read_bytes())
    message = linreg("train", "penguin.csv", "--target", "body_mass_g").failure()
    assert message == "error: penguin.csv: no such file; did you mean penguins.csv?"
    message = linreg("export", "-m", "nothing").failure()
    assert message.endswith("check the name, or train one: linreg train TABLE --target COLUMN -o nothing")
    assert "'--rounds': got '1', expected at least 10; see:" in linreg("bench", "--rounds", "1").failure(2)
    assert "'--opset': got 'x', expected a whole number; see:" in linreg("export", "--opset", "x").failure(2)
    assert linreg("exprt").failure(2) == "error: No such command 'exprt'; did you mean 'export'? see: linreg --help"


def test_help_is_short_and_has_no_addresses():
    for name in ("fit", "straight_line", "load", "export", "verify", "bench", "compare"):
        signature = str(inspect.signature(getattr(linreg, name)))
        assert len(signature) < 1200, name
        assert " at 0x" not in signature and "<" not in signature, name
        text = getattr(linreg, name).__doc__
        assert "Args:" in text[: text.index("Example:")], name
        assert re.search(rf"^    {name}  ", linreg.__doc__, re.MULTILINE), name


def test_dir_gives_the_door_and_nothing_else():
    assert {name for name in dir(linreg) if not name.startswith("__")} == set(linreg.__all__) - {"__version__"}


def test_a_model_says_which_part_its_r2_is_of(table):
    assert re.fullmatch(
        r"FittedModel\('t' from 2 features, exact, test R2 1\.0000\)", repr(linreg.fit(table, target="t"))
    )
    assert "exact, train R2 1.0000)" in repr(linreg.fit(table, target="t", split=1))
