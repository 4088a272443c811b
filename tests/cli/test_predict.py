"""`linreg predict`: columns by name, rows in their place, nothing overwritten."""

import shutil
from pathlib import Path

import numpy as np
import pyarrow.csv
import pyarrow.parquet
import pytest

from tests.cli.test_commands import rows_of
from tests.conftest import PENGUINS


def test_columns_are_found_by_name(linreg, penguins, table):
    straight = table("bill_length_mm,bill_depth_mm,flipper_length_mm", "39.1,18.7,181", "40.3,18,195", name="a.csv")
    mixed = table(
        "zzz,flipper_length_mm,bill_length_mm,bill_depth_mm", "x,181,39.1,18.7", "y,195,40.3,18", name="b.csv"
    )
    first, second = linreg("predict", straight, "-m", penguins), linreg("predict", mixed, "-m", penguins)
    assert first.code == second.code == 0
    assert first.out == second.out
    assert [row["bill_length_mm"] for row in rows_of(first.out)] == ["39.1", "40.3"]


def test_a_missing_column_is_named_with_a_suggestion(linreg, penguins, table):
    path = table("bill_length_mm,bill_depth_mm,Flipper_length_mm", "39.1,18.7,181")
    message = linreg("predict", path, "-m", penguins).failure()
    assert "has no column 'flipper_length_mm'; did you mean 'Flipper_length_mm'?" in message


@pytest.mark.parametrize("file", ["", "model.onnx"])
def test_missing_values_keep_their_place(linreg, penguins, table, file):
    path = table("bill_length_mm,bill_depth_mm,flipper_length_mm", "39.1,18.7,181", "NA,18,195", "40.3,18,195")
    ended = linreg("predict", path, "-m", penguins / file)
    predicted = [row["predicted_body_mass_g"] for row in rows_of(ended.out)]
    assert [bool(value) for value in predicted] == [True, False, True]
    assert ended.err == "note: 1 of 3 rows have no value in a used column and get no prediction\n"
    path = table("bill_length_mm,bill_depth_mm,flipper_length_mm", "39.1,,181", "NA,18,195")
    ended = linreg("predict", path, "-m", penguins / file, "-o", "out.csv")
    assert ended.code == 0
    assert [row["predicted_body_mass_g"] for row in rows_of(Path("out.csv").read_text())] == ["", ""]


@pytest.mark.parametrize("file", ["", "model.onnx"])
def test_an_incomplete_row_keeps_the_values_that_it_has(linreg, penguins, table, file):
    path = table("bill_length_mm,bill_depth_mm,flipper_length_mm", "39.1,,181", "40.3,18,195", ",,")
    rows = rows_of(linreg("predict", path, "-m", penguins / file).out)
    values = [[float(value or "nan") for value in row.values()] for row in rows]
    assert np.array_equal(np.isnan(values), [[0, 1, 0, 1], [0, 0, 0, 0], [1, 1, 1, 1]])
    assert (values[0][0], values[0][2], values[1][:3]) == (39.1, 181, [40.3, 18, 195])


@pytest.mark.parametrize(
    ("lines", "rows"),
    [
        (["a,b,c", "39.1,,181", "NA,NA,195"], 2),
        (["a,b,c", "39.1,,181"], 1),
        (["a,b,c"], 0),
    ],
    ids=["empty-column", "one-row", "header"],
)
@pytest.mark.parametrize("kind", ["csv", "parquet"])
def test_a_column_without_values_gets_rows_without_predictions(linreg, penguins, table, tmp_path, lines, rows, kind):
    lines = ["bill_length_mm,bill_depth_mm,flipper_length_mm", *lines[1:]]
    path = table(*lines)
    if kind == "parquet":
        pyarrow.parquet.write_table(pyarrow.csv.read_csv(path), tmp_path / "table.parquet")
        path = tmp_path / "table.parquet"
    ended = linreg("predict", path, "-m", penguins)
    assert ended.code == 0
    assert [row["predicted_body_mass_g"] for row in rows_of(ended.out)] == [""] * rows


def test_what_else_is_in_the_table_blocks_no_prediction(linreg, penguins, table):
    path = table(",z,bill_length_mm,z,bill_depth_mm,flipper_length_mm", "0,'1,39.1,b,18.7,181", "1,c,40.3,d,18,195")
    plain = table("bill_length_mm,bill_depth_mm,flipper_length_mm", "39.1,18.7,181", "40.3,18,195", name="plain.csv")
    assert linreg("predict", path, "-m", penguins).out == linreg("predict", plain, "-m", penguins).out


def test_a_header_like_a_formula_is_quoted(linreg, table):
    path = table("=cmd,@sum,y", "1,2,1", "2,1,3", "3,5,2", "4,3,5", "5,8,6")
    assert linreg("train", path, "--target", "y", "--split", "1", "-o", "b").code == 0
    assert linreg("predict", path, "-m", "b").out.splitlines()[0] == """"'=cmd","'@sum","predicted_y\""""


@pytest.mark.parametrize("file", ["", "model.onnx"])
def test_values_beyond_float32_are_refused(linreg, penguins, table, tmp_path, file):
    path = table("bill_length_mm,bill_depth_mm,flipper_length_mm", "1,2,3", "NA,2,3", "39.1,18.7,-1e39")
    message = linreg("predict", path, "-m", penguins / file, "-o", "out.csv").failure()
    assert "row 3 gives -inf: its values exceed what the model's dtype holds" in message
    assert not (tmp_path / "out.csv").exists()


def test_predict_overwrites_only_when_told_and_never_its_table(linreg, penguins, table, tmp_path):
    path = table("bill_length_mm,bill_depth_mm,flipper_length_mm", "39.1,18.7,181")
    (tmp_path / "out.csv").write_text("mine")
    words = ["predict", path, "-m", penguins]
    assert "out.csv: already exists with other contents; use --force" in linreg(*words, "-o", "out.csv").failure()
    assert (tmp_path / "out.csv").read_text() == "mine"
    assert linreg(*words, "-o", "out.csv", "--force").code == 0
    before = path.read_bytes()
    assert "is the table itself" in linreg(*words, "-o", path, "--force").failure()
    assert path.read_bytes() == before
    (tmp_path / "hard.csv").hardlink_to(path)
    assert "is the table itself" in linreg(*words, "-o", "hard.csv", "--force").failure()
    for place in (tmp_path, "/dev/full"):
        assert "is not a regular file" in linreg(*words, "-o", place, "--force").failure()


def test_the_same_command_again_succeeds_and_writes_nothing(linreg, penguins, table, tmp_path):
    path = table("bill_length_mm,bill_depth_mm,flipper_length_mm", "39.1,18.7,181")
    words = ["predict", path, "-m", penguins, "-o", "out.csv"]
    assert linreg(*words).code == 0
    before = (tmp_path / "out.csv").stat()
    again = linreg(*words)
    assert (again.code, again.err) == (0, "1 predictions: out.csv (already up to date)\n")
    after = (tmp_path / "out.csv").stat()
    assert (after.st_ino, after.st_mtime_ns) == (before.st_ino, before.st_mtime_ns)
    same_length = (tmp_path / "out.csv").read_bytes()[:-2] + b"9\n"
    (tmp_path / "out.csv").write_bytes(same_length)
    assert "already exists with other contents; use --force" in linreg(*words).failure()
    assert (tmp_path / "out.csv").read_bytes() == same_length


@pytest.mark.parametrize("name", ["out", "out.gz", "out.json", ".csv", "out.tsv", ".csv.gz", ".parquet", "out.csv.zst"])
def test_a_name_that_shows_no_format_is_refused(linreg, penguins, table, tmp_path, name):
    path = table("bill_length_mm,bill_depth_mm,flipper_length_mm", "39.1,18.7,181")
    message = linreg("predict", path, "-m", penguins, "-o", name).failure(2)
    assert f"got {name}, expected a name that ends in .csv, .csv.gz or .parquet" in message
    assert not (tmp_path / name).exists()
    assert linreg("predict", path, "-m", penguins, "-o", "OUT.CSV").code == 0


@pytest.mark.parametrize("there", [True, False], ids=["link", "dangling"])
@pytest.mark.parametrize("words", [[], ["--force"]], ids=["plain", "force"])
def test_no_link_is_followed_to_write(linreg, penguins, table, tmp_path, there, words):
    path = table("bill_length_mm,bill_depth_mm,flipper_length_mm", "39.1,18.7,181")
    if there:
        (tmp_path / "elsewhere.csv").write_text("mine")
    (tmp_path / "out.csv").symlink_to(tmp_path / "elsewhere.csv")
    message = linreg("predict", path, "-m", penguins, "-o", "out.csv", *words).failure()
    assert "out.csv: is a symbolic link, which is not followed" in message
    assert (tmp_path / "elsewhere.csv").exists() is there
    assert not there or (tmp_path / "elsewhere.csv").read_text() == "mine"


@pytest.mark.usefixtures("bundle")
def test_a_model_that_is_not_there_is_named_with_a_suggestion(linreg):
    assert "did you mean penguins/model.onnx?" in linreg("predict", PENGUINS, "-m", "penguins/model.onx").failure()
    assert (
        "check the name, or train one: linreg train TABLE --target COLUMN -o nothing"
        in linreg("predict", PENGUINS, "-m", "nothing").failure()
    )
    assert "this command needs its bundle; use -m penguins" in linreg("evaluate", "-m", "penguins/model.onnx").failure()


@pytest.mark.parametrize("file", ["", "model.onnx"])
def test_force_without_an_output_is_refused(linreg, penguins, file):
    ended = linreg("predict", PENGUINS, "-m", penguins / file, "--force")
    assert ended.code == 2
    assert "--force needs an output file; add -o FILE, or omit --force" in ended.err


@pytest.mark.parametrize("suffix", ["csv", "parquet"])
def test_names_that_are_numbers_are_a_header_where_all_of_the_model_stand_in_it(linreg, table, suffix):
    """As in deploy/vectors/columns.h."""
    lines = ["2010,2011,y", "1,2,3", "2,1,5", "3,5,1", "4,4,4", "5,3,9", "2,2,2"]
    train = table(*lines, name="train.csv")
    if suffix == "parquet":
        train = train.with_suffix(".parquet")
        columns = {"2010": [1, 2, 3, 4, 5, 2], "2011": [2, 1, 5, 4, 3, 2], "y": [3, 5, 1, 4, 9, 2]}
        pyarrow.parquet.write_table(pyarrow.table(columns), train)
    assert linreg("train", train, "--target", "y", "-o", "b").code == 0
    assert linreg("export", "-m", "b").code == 0
    rows = table("2011,2010", "2,1", "1,2")
    first, second = linreg("predict", rows, "-m", "b"), linreg("predict", rows, "-m", "b/model.onnx")
    assert first.code == second.code == 0
    assert [(row["2010"], row["2011"]) for row in rows_of(first.out)] == [("1", "2"), ("2", "1")]
    for header in ("2011,2012", "1,2"):
        message = linreg("predict", table(header, "2,1"), "-m", "b").failure()
        assert "its first row is " in message
        assert "add a header that names '2010', '2011'" in message


def test_numbers_alone_are_a_header_where_the_features_and_the_target_are_named(linreg, table):
    path = table("1,2,3", "1,2,3", "2,1,5", "3,5,1", "4,4,4", "5,3,9", "2,2,2")
    assert linreg("train", path, "--target", "3", "--features", "1,2", "-o", "b").code == 0
    assert linreg("evaluate", path, "-m", "b").code == 0
    assert "add a header" in linreg("train", path, "--target", "3", "-o", "c").failure()


def test_the_onnx_of_somebodys_module_is_called_so(linreg, tmp_path):
    (tmp_path / "own_net.py").write_text("from torch import nn\nnet = nn.Linear(2, 1)\n")
    assert linreg("export", "--module", "own_net.py:net", "--input", "x=float32[batch,2]", "-o", "net").code == 0
    shutil.copy("net/model.onnx", "alone.onnx")
    message = linreg("predict", PENGUINS, "-m", "alone.onnx").failure()
    assert "was exported from a module or a state_dict whose columns have no names" in message
    assert "linreg inspect alone.onnx" in message


def test_a_table_and_a_model_that_changed_places(linreg, bundle, table):
    path = table("bill_length_mm,bill_depth_mm,flipper_length_mm", "39.1,18.7,181")
    message = linreg("predict", bundle, "-m", path).failure()
    assert message.endswith(f"name the table first: linreg predict {path} -m {bundle}")
