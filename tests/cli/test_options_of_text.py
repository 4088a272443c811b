"""Options that say how cells are written, for tables whose columns have types; and names that contain a comma."""

import numpy as np
import pyarrow as pa
import pyarrow.parquet
import pytest

import linreg as package
from linreg.errors import LinregError

X = np.arange(1.0, 9)
NUMBERS = pa.table({"x": X, "a,b": X % 3, "y": 2 * X - X % 3})
TEXT = NUMBERS.set_column(0, "x", pa.array([f"{value:.1f}".replace(".", ",") for value in X]))


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """Three tables of the same numbers, and a model whose training table had semicolons and decimal commas."""
    monkeypatch.chdir(tmp_path)
    pyarrow.parquet.write_table(NUMBERS, "numbers.parquet")
    pyarrow.parquet.write_table(TEXT.set_column(0, "x", TEXT["x"].dictionary_encode()), "text.parquet")
    (tmp_path / "t.csv").write_text("x;y\n" + "".join(f"{x};{2 * x}\n" for x in (1, 2, 3, 4)))
    package.fit("t.csv", target="y", delimiter=";", decimal=",").save("m")
    return tmp_path


ALONE = "belongs to text, and numbers.parquet has no column of text to use; leave it out"
REFUSED = {
    "a delimiter": (
        "numbers.parquet",
        ["--delimiter", ";"],
        "--delimiter belongs to a CSV, and numbers.parquet is none",
    ),
    "a delimiter beside text": ("text.parquet", ["--delimiter", ";"], "--delimiter belongs to a CSV, and text.parquet"),
    "a decimal comma": ("numbers.parquet", ["--decimal", ","], f"--decimal {ALONE}"),
    "thousands": ("numbers.parquet", ["--thousands", " "], f"--thousands {ALONE}"),
    "a word": ("numbers.parquet", ["--missing", "?"], f"--missing {ALONE}"),
}


@pytest.mark.parametrize("case", REFUSED)
@pytest.mark.parametrize(
    "command", [["train", "--target", "y", "-o", "new"], ["evaluate", "-m", "m"], ["predict", "-m", "m"]]
)
def test_what_no_column_needs_is_wrong_usage(linreg, folder, command, case):
    table, options, message = REFUSED[case]
    ended = linreg(command[0], table, *command[1:], *options)
    assert (ended.code, ended.out) == (2, "")
    assert ended.err.startswith(f"error: {message}")
    assert not (folder / "new").exists()


@pytest.mark.parametrize(
    ("table", "options"),
    [
        ("numbers.parquet", ["--missing", "3"]),
        ("text.parquet", ["--decimal", ","]),
        ("text.parquet", ["--decimal", ",", "--missing", "?"]),
    ],
)
def test_what_a_column_needs_is_used(linreg, folder, table, options):
    ended = linreg("train", table, "--target", "y", "--features", "x", "-o", "new", *options)
    assert ended.code == 0, ended.err
    card = package.load("new").card
    assert card.data["rows"] == (7 if "3" in options else 8)


def test_the_column_of_text_must_be_one_that_is_used(linreg, folder):
    ended = linreg("train", "text.parquet", "--target", "y", "--features", '"a,b"', "--decimal", ",", "-o", "new")
    assert ended.code == 2 and "has no column of text to use" in ended.err


def test_the_marks_of_the_training_table_are_none_of_a_table_with_types(linreg, folder):
    ended = linreg("predict", "numbers.parquet", "-m", "m")
    assert ended.code == 0 and ended.out.splitlines()[:2] == ['"x","predicted_y"', "1,2"]


def test_in_python_the_argument_is_named():
    with pytest.raises(LinregError, match=r"^delimiter belongs to a CSV, and Table is none; leave it out$"):
        package.fit(NUMBERS, target="y", delimiter=";")


def test_a_name_with_a_comma_stands_in_quotes(linreg, folder):
    assert linreg("train", "numbers.parquet", "--target", "y", "--features", '"a,b",x', "-o", "new").code == 0
    assert package.load("new").card.features == ("a,b", "x")
    ended = linreg("predict", "numbers.parquet", "-m", "new", "--columns", '"a,b",y')
    assert (ended.code, ended.out.splitlines()[0]) == (0, '"a,b","y","predicted_y"')
