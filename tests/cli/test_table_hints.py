"""The option that a message names reads the table that it was about."""

import json
import re
import shlex

import pyarrow as pa
import pyarrow.parquet
import pytest

import linreg as package
from linreg.errors import DataError

CELLS = {  # what stands in one cell, and its number
    "1,234,567": 1234567,
    "1.234.567": 1234567,
    "1,234.5": 1234.5,
    "1.234,5": 1234.5,
    "1'000": 1000,
    "1 000": 1000,
    "1\u202f000": 1000,
    "1_000": 1000,
    "1 000,5": 1000.5,
    "1,5": 1.5,
    "0,125": 0.125,
    "?": None,
    "-": None,
    "--": None,
    ".": None,
    "n.a.": None,
    "unknown": None,
}


@pytest.mark.parametrize("cell", CELLS, ids=ascii)
def test_following_the_message_reads_the_number(linreg, tmp_path, cell):
    rows = [f"{place},{2 * place}" for place in range(2, 6)]
    (tmp_path / "t.csv").write_text("\n".join(["x,y", *rows, f'"{cell}",7', "9,10"]) + "\n")
    command = ["train", "t.csv", "--target", "y", "--split", "1", "-o", "b", "--json"]
    ended = linreg(*command)
    assert ended.code == 1
    (line,) = [line for line in ended.err.splitlines() if line.startswith("error: ")]
    assert ascii(cell)[1:-1] in line or cell in line
    option = re.search(r"add (--[^;]*)", line)
    ended = linreg(*command, *shlex.split(option[1]))
    assert ended.code == 0, ended.err
    numbers = [2, 3, 4, 5, CELLS[cell], 9]
    targets = [4, 6, 8, 10, 7, 10]
    kept = [(x, y) for x, y in zip(numbers, targets, strict=True) if x is not None]
    whole = package.fit(([[x] for x, _ in kept], [y for _, y in kept]), split=1)
    found = json.loads(ended.out)
    assert found["metrics"]["train"]["rows"] == len(kept)
    assert [row["value"] for row in found["coefficients"]] == [row.value for row in whole.coefficients]


GIVEN = {  # an option, a cell that it does not read, and the number
    "comma, points": (["--decimal", ","], "3.047,29", 3047.29),
    "comma, two points": (["--decimal", ","], "1.234.567", 1234567),
    "comma, space": (["--decimal", ","], "1 500", 1500),
    "comma, space and point": (["--decimal", ","], "1 500.5", 1500.5),
    "comma, american": (["--decimal", ","], "1,234.5", 1234.5),
    "comma, one point": (["--decimal", ","], "1.5", 1.5),
    "commas, european": (["--thousands", ","], "1.234,5", 1234.5),
    "commas, space": (["--thousands", ","], "1 500", 1500),
    "commas, decimal comma": (["--thousands", ","], "0,125", 0.125),
    "points, american": (["--thousands", "."], "1,234.5", 1234.5),
    "points, decimal point": (["--thousands", "."], "0.125", 0.125),
    "space, decimal comma": (["--thousands", " "], "1 500,5", 1500.5),
    "point, european": (["--decimal", "."], "1.234,5", 1234.5),
}


@pytest.mark.parametrize("case", GIVEN)
def test_a_hint_goes_with_the_options_that_were_given(linreg, tmp_path, case):
    options, cell, number = GIVEN[case]
    (tmp_path / "t.csv").write_text(f"x;y\n2;3\n{cell};7\n9;10\n")
    command = ["train", "t.csv", "--target", "y", "--split", "1", "-o", "b", "--json", "--delimiter", ";"]
    line = linreg(*command, *options).failure()
    found = re.search(r"not a number; (?:add|use) (--[^;]*); or correct it, or choose columns", line)
    ended = linreg(*command, *options, *shlex.split(found[1]))
    assert ended.code == 0, ended.err
    whole = package.fit(([[2], [number], [9]], [3, 7, 10]), split=1)
    assert [row["value"] for row in json.loads(ended.out)["coefficients"]] == [row.value for row in whole.coefficients]


def test_one_group_after_a_point_may_be_two_things(linreg, tmp_path):
    (tmp_path / "t.csv").write_text("x;y\n2;3\n1.500;7\n9;10\n")
    line = linreg("train", "t.csv", "--target", "y", "--delimiter", ";", "--decimal", ",").failure()
    both = "use --thousands '.' if it is a thousand or more, or --decimal '.' if it has a decimal point"
    assert f"row 2 is '1.500', not a number; {both}; or correct it" in line


@pytest.mark.parametrize("command", ["evaluate", "predict", "plot"])
def test_another_table_may_have_no_thousands(linreg, tmp_path, command):
    (tmp_path / "t.csv").write_text("x;y\n1.000;3,5\n2.000;7\n9.500;10\n4.000;1\n")
    (tmp_path / "other.csv").write_text("x;y\n1000;3.5\n1500.5;7.25\n9500;10\n")
    train = linreg("train", "t.csv", "--target", "y", "--thousands", ".", "--delimiter", ";", "--split", "1", "-o", "b")
    assert train.code == 0, train.err
    line = linreg(command, "other.csv", "-m", "b").failure()
    assert "; cells are read as in the training table, with --decimal ',' --thousands '.'; use --thousands none" in line
    options = shlex.split(re.search("; use (--[^;]*)", line)[1])
    ended = linreg(command, "other.csv", "-m", "b", *options)
    assert ended.code == 0, ended.err
    if command == "predict":
        assert ended.out.splitlines()[2].startswith("1500.5,")


def test_python_is_told_of_none(tmp_path):
    (tmp_path / "t.csv").write_text("x;y\n2;3\n0.125;7\n")
    with pytest.raises(DataError, match=r'use thousands="none" decimal="\."; or correct it'):
        package.fit(tmp_path / "t.csv", target="y", delimiter=";", thousands=".")


def test_python_is_told_its_own_argument(tmp_path):
    (tmp_path / "t.csv").write_text('x,y\n1,2\n"1,5",3\n')
    with pytest.raises(DataError, match=r'row 2 is \'1,5\', not a number; add decimal=","; or correct it, or'):
        package.fit(tmp_path / "t.csv", target="y")
    (tmp_path / "t.csv").write_text("x\ty\n1\t2\n")
    with pytest.raises(DataError, match=r'looks separated by .*; add delimiter="\\t"$'):
        package.fit(tmp_path / "t.csv", target="y")


@pytest.mark.parametrize(
    ("cell", "what"), [("5 %", "remove the percent signs"), ("$5", "use digits and a decimal point")]
)
def test_percent_and_currency_say_what_to_do(linreg, tmp_path, cell, what):
    (tmp_path / "t.csv").write_text(f"x,y\n1,2\n{cell},3\n")
    ended = linreg("train", "t.csv", "--target", "y")
    assert ended.code == 1
    assert f"row 2 is '{cell}', not a number; {what}" in ended.err


def test_booleans_are_named_and_then_used(linreg, tmp_path):
    (tmp_path / "t.csv").write_text("b,x,y\n" + "".join(f"{row % 3 == 0},{row},{row * row}\n" for row in range(9)))
    ended = linreg("train", "t.csv", "--target", "y", "--split", "1", "-o", "b")
    assert "left out: 'b': row 1 is 'True', not a number; name it in --features to use it as 0 and 1" in ended.err
    ended = linreg("train", "t.csv", "--target", "y", "--split", "1", "--features", "b,x", "-o", "c", "--json")
    rows = [[float(row % 3 == 0), row] for row in range(9)]
    expected = package.fit((rows, [row * row for row in range(9)]), split=1).coefficients
    found = json.loads(ended.out)["coefficients"]
    assert [row["value"] for row in found] == [row.value for row in expected]


@pytest.mark.parametrize("features", [[], ["--features", "b,x"]], ids=["all columns", "named"])
def test_true_beside_1_says_how_to_write_them(linreg, tmp_path, features):
    cells = ["1", "0", "true", "1", "0", "0", "1", "false", "0"]
    (tmp_path / "t.csv").write_text(
        "b,x,y\n" + "".join(f"{cell},{row},{row * row}\n" for row, cell in enumerate(cells))
    )
    ended = linreg("train", "t.csv", "--target", "y", *features)
    assert ended.code == 1
    assert "column 'b': row 3 is 'true', not a number; write true and false in every row, or 1 and 0" in ended.err


def test_a_word_that_is_always_missing_replaces_those_of_the_training_table(linreg, tmp_path):
    (tmp_path / "t.csv").write_text("x,y\n-9,1\n" + "".join(f"{row},{2 * row}\n" for row in range(9)))
    assert linreg("train", "t.csv", "--target", "y", "--split", "1", "--missing", "-9", "-o", "b").code == 0
    (tmp_path / "new.csv").write_text("x\n-9\n")
    for words, expected in (([], ""), (["--missing", "NA"], "-18")):
        assert linreg("predict", "new.csv", "-m", "b", *words, "-o", "p.csv", "--force").code == 0
        assert (tmp_path / "p.csv").read_text().splitlines()[1].split(",")[1] == expected


def test_the_terminal_counts_what_json_lists(linreg, tmp_path):
    names = [f"c{place}" for place in range(4998)]
    lines = [",".join(["x", *names, "y"]), *(",".join([str(row), *["a"] * 4998, str(row * row)]) for row in range(5))]
    (tmp_path / "t.csv").write_text("\n".join(lines))
    ended = linreg("train", "t.csv", "--target", "y", "--split", "1", "-o", "b", "--json")
    left = [line for line in ended.err.splitlines() if line.startswith("left out: ")]
    assert len(left) == 11
    assert left[-1] == "left out: and 4,988 more; --json lists them all"
    assert [column["name"] for column in json.loads(ended.out)["left_out"]] == names


@pytest.mark.parametrize("features", [[], ["--features", "a"]], ids=["all columns", "named"])
@pytest.mark.parametrize(
    ("kind", "found"), [("csv", "row 1 is 'True', not a number"), ("parquet", "is bool, not numbers")]
)
def test_a_target_of_booleans_is_told_what_a_target_can_be(linreg, tmp_path, features, kind, found):
    (tmp_path / "t.csv").write_text("a,flag\n1,True\n2,False\n4,True\n")
    pyarrow.parquet.write_table(pa.table({"a": [1, 2, 4], "flag": [True, False, True]}), tmp_path / "t.parquet")
    ended = linreg("train", f"t.{kind}", "--target", "flag", *features, "-o", "b")
    assert ended.failure().endswith(f"column 'flag': {found}; write the target as 1 and 0")


@pytest.mark.parametrize(
    "cells", [["a", "b"], ["12a", "12a"], ["x" * 21, "x" * 21]], ids=["two words", "digits", "long"]
)
def test_a_typo_is_no_word_for_a_missing_value(tmp_path, cells):
    (tmp_path / "t.csv").write_text("x,y\n1,2\n2,3\n4,4\n" + "".join(f"{cell},5\n" for cell in cells))
    with pytest.raises(DataError, match=f"row 4 is '{cells[0]}', not a number; correct it, or"):
        package.fit(tmp_path / "t.csv", target="y")


@pytest.mark.parametrize(("mark", "cell"), [(".", "0.357"), (",", "0,357"), (",", "-012,345")])
def test_a_group_that_begins_with_zero_is_no_thousand(tmp_path, mark, cell):
    (tmp_path / "t.csv").write_text(f"x;y\n{cell};1\n2;2\n3;5\n")
    with pytest.raises(DataError, match=f"column 'x': row 1 is '{cell}', not a number"):
        package.fit(tmp_path / "t.csv", target="y", delimiter=";", thousands=mark)


def test_a_name_with_a_comma_is_written_in_double_quotes(linreg, tmp_path):
    (tmp_path / "t.csv").write_text('"a,b",c,y\n1,2,3\n2,5,4\n3,1,9\n')
    words = ["train", "t.csv", "--target", "y", "--split", "1", "-o", "b"]
    hint = "has no column 'a'; did you mean 'a,b'? On the command line, double quotes keep the comma: '\"a,b\",c'"
    assert linreg(*words, "--features", "a,b,c").failure().endswith(hint)
    assert linreg(*words, "--features", '"a,b",c').code == 0
    predicted = linreg("predict", "t.csv", "-m", "b", "--columns", '"a,b",y').out.splitlines()
    assert (predicted[0], predicted[1][:4]) == ('"a,b","y","predicted_y"', "1,3,")
