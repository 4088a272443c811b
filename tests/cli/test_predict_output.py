"""`linreg predict -o`: every format holds the same rows, `--columns` passes cells through, and nothing is overwritten.

Oracle of the predictions: float64 in NumPy, from the coefficients in card.json.
"""

import csv
import gzip
import io
import json
from pathlib import Path

import numpy as np
import pandas
import pyarrow as pa
import pyarrow.parquet
import pytest

from tests.conftest import PENGUINS

PREDICTED = "predicted_body_mass_g"
FEATURES = ["bill_length_mm", "bill_depth_mm", "flipper_length_mm"]
IDS = (
    "id,bill_length_mm,note,bill_depth_mm,flipper_length_mm",
    '007,39.10,"a, ""b""",18.7,181',
    "NA,,=1+1,18.0,195",
    " 9 ,40.3,,18,1.95e2",
)


@pytest.fixture(scope="module")
def exact(penguins):
    """Predicts in float64."""
    from linreg.fitted import load

    coefficients = [entry.value for entry in load(penguins).coefficients]
    return lambda rows: np.asarray(rows, float) @ coefficients[:-1] + coefficients[-1]


def read(path):
    """A table of predictions, by pandas or pyarrow."""
    path = Path(path)
    if path.is_file() and path.suffix in (".csv", ".gz"):
        return pandas.read_csv(path)
    return pyarrow.parquet.read_table(path).to_pandas()


@pytest.mark.parametrize("file", ["", "model.onnx"])
@pytest.mark.parametrize("name", ["out.csv", "OUT.CSV.GZ", "out.parquet", "out/", "new/deep/out.csv.gz", "out.csv/"])
def test_every_format_holds_every_row(linreg, penguins, exact, file, name):
    ended = linreg("predict", PENGUINS, "-m", penguins / file, "-o", name)
    parts = " in 1 part" if name.endswith("/") else ""
    note, done = ended.err.splitlines()
    assert (ended.code, ended.out) == (0, "")
    assert note == "note: 2 of 344 rows have no value in a used column and get no prediction"
    assert done == f"342 predictions{parts}: {name}"
    given = pandas.read_csv(PENGUINS)[FEATURES]
    found = read(name) if "GZ" not in name else pandas.read_csv(name, compression="gzip")
    assert list(found.columns) == [*FEATURES, PREDICTED]
    pandas.testing.assert_frame_equal(found[FEATURES], given, check_dtype=False)
    np.testing.assert_allclose(found[PREDICTED], exact(given), rtol=1e-6)
    assert found[PREDICTED].isna().sum() == 2


def test_parquet_keeps_the_types_of_the_model_and_of_the_table(linreg, penguins, tmp_path):
    table = pa.table(
        {
            "when": pa.array([0, 1], pa.timestamp("us", "UTC")),
            "tags": pa.array([[1], None]),
            "id": pa.array([2**53 + 1, None]),
            **{name: pa.array([40.0, None], pa.float32()) for name in FEATURES},
        }
    )
    pyarrow.parquet.write_table(table, tmp_path / "t.parquet")
    assert linreg("predict", "t.parquet", "-m", penguins, "-o", "out.parquet", "--columns", "all").code == 0
    out = pyarrow.parquet.read_table("out.parquet")
    assert out.drop_columns([PREDICTED]).equals(table)
    assert out.schema.field(PREDICTED).type == pa.float32()
    assert out[PREDICTED].null_count == 1
    refused = linreg("predict", "t.parquet", "-m", penguins, "-o", "out.csv", "--columns", "all").failure()
    assert "t.parquet: column 'tags' is list<element: int64>, which a CSV cannot hold; write Parquet" in refused
    assert (
        linreg("predict", "t.parquet", "-m", penguins, "--columns", "id,when")
        .out.splitlines()[1]
        .startswith("9007199254740993,1970-01-01 00:00:00.000000Z,")
    )


@pytest.mark.parametrize("file", ["", "model.onnx"])
def test_columns_pass_as_they_stand_in_the_file(linreg, penguins, table, exact, file):
    path = table(*IDS)
    words = ["predict", path, "-m", penguins / file, "--columns"]
    predicted = [row[0] for row in csv.reader(io.StringIO(linreg(*words, "none").out))]
    assert predicted[0] == PREDICTED
    assert [bool(value) for value in predicted[1:]] == [True, False, True]
    expected = exact([[39.1, 18.7, 181], [40.3, 18, 195]])
    np.testing.assert_allclose([float(predicted[1]), float(predicted[3])], expected, rtol=1e-6)
    every = linreg(*words, "all")
    assert every.code == 0
    assert every.out.splitlines()[1:] == [f"{line},{end}" for line, end in zip(IDS[1:], predicted[1:], strict=True)]
    some = linreg(*words, "note, id").out
    assert list(csv.reader(io.StringIO(some))) == [
        ["note", "id", PREDICTED],
        ['a, "b"', "007", predicted[1]],
        ["=1+1", "NA", ""],
        ["", " 9 ", predicted[3]],
    ]


def test_one_column_with_a_gap_keeps_every_row(linreg, penguins, table):
    out = linreg("predict", table(*IDS), "-m", penguins, "--columns", "none").out
    assert out.splitlines()[2] == '""'
    assert pandas.read_csv(io.StringIO(out))[PREDICTED].isna().tolist() == [False, True, False]


def test_columns_of_one_name_pass_into_csv_only(linreg, penguins, table):
    path = table(",z,bill_length_mm,z,bill_depth_mm,flipper_length_mm", "0,'1,39.1,b,18.7,181")
    words = ["predict", path, "-m", penguins, "--columns"]
    assert linreg(*words, "all").out.startswith('"","z","bill_length_mm","z","bill_depth_mm","flipper_length_mm",')
    assert "two columns are called 'z'; rename one" in linreg(*words, "z").failure()
    message = linreg(*words, "all", "-o", "out.parquet").failure()
    assert "two columns are called 'z'; rename one, choose others with --columns, or write CSV" in message
    assert not Path("out.parquet").exists()


def test_a_column_called_like_the_prediction_is_not_written_twice(linreg, penguins, table):
    path = table(f"{PREDICTED},bill_length_mm,bill_depth_mm,flipper_length_mm", "1,39.1,18.7,181")
    words = ["predict", path, "-m", penguins]
    message = linreg(*words, "--columns", "all").failure()
    assert f"table.csv: has a column '{PREDICTED}', which is the name of the prediction; rename it" in message
    assert linreg(*words).code == linreg(*words, "--columns", "none").code == 0


@pytest.mark.parametrize("name", ["out.csv", "out.csv.gz", "out.parquet", "out/"])
@pytest.mark.parametrize("columns", [[], ["--columns", "all"], ["--columns", "none"]], ids=["features", "all", "none"])
def test_a_table_without_rows_has_its_columns(linreg, penguins, table, name, columns):
    path = table(IDS[0])
    assert linreg("predict", path, "-m", penguins, "-o", name, *columns).code == 0
    before = {"all": IDS[0].split(","), "none": []}.get(columns[-1] if columns else "", FEATURES)
    assert list(read(name).columns) == [*before, PREDICTED]
    assert len(read(name)) == 0


@pytest.mark.parametrize(
    ("value", "problem"),
    [
        ("", "--columns got an empty value"),
        ("a,,b", "--columns: got an empty name; give all, none, or names such as --columns id,date"),
        ("id,note,id", "--columns: got 'id' twice"),
    ],
)
def test_columns_that_name_nothing_are_wrong_usage(linreg, penguins, table, value, problem):
    assert problem in linreg("predict", table(*IDS), "-m", penguins, "--columns", value).failure(2)


def test_a_column_that_is_not_there_is_named_with_a_suggestion(linreg, penguins, table):
    message = linreg("predict", table(*IDS), "-m", penguins, "--columns", "Id").failure()
    assert "has no column 'Id'; did you mean 'id'?" in message


def test_a_folder_is_written_where_the_name_ends_in_a_slash(linreg, penguins, tmp_path):
    (tmp_path / "out").mkdir()
    words = ["predict", PENGUINS, "-m", penguins]
    message = linreg(*words, "-o", "out").failure()
    assert "out: is not a regular file but a folder; " in message
    assert "end it with a slash to write a folder of Parquet files: -o out/" in message
    assert linreg(*words, "-o", "out/").code == 0
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["_manifest.json", "part-00000.parquet"]
    assert json.loads(Path("out/_manifest.json").read_text())["rows"] == 344


@pytest.mark.parametrize("name", ["out.csv", "out.csv.gz", "out.parquet", "out/"])
def test_the_same_again_is_up_to_date_and_other_rows_need_force(linreg, penguins, table, name):
    path = table(*IDS)
    words = ["predict", path, "-m", penguins, "-o", name]
    assert linreg(*words).code == 0
    place = Path(name) / "part-00000.parquet" if name.endswith("/") else Path(name)
    before, modified = place.read_bytes(), place.stat().st_mtime_ns
    again = linreg(*words)
    assert again.code == 0
    assert again.err.endswith(f"{name} (already up to date)\n")
    assert place.stat().st_mtime_ns == modified
    table(*IDS[:-1], " 9 ,41.3,,18,1.95e2")
    assert "use --force" in linreg(*words).failure()
    assert place.read_bytes() == before
    assert linreg(*words, "--force").code == 0
    assert place.read_bytes() != before


@pytest.mark.parametrize("name", ["out.csv", "out.csv.gz", "out.parquet", "out/"])
def test_a_bad_row_leaves_no_file(linreg, penguins, table, tmp_path, name):
    path = table(IDS[0], *[IDS[1]] * 70_000, "1,-1e39,,18.7,181")
    message = linreg("predict", path, "-m", penguins, "-o", name).failure()
    assert "row 70001 gives " in message
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["table.csv"]


def test_a_dash_is_stdout(linreg, penguins):
    words = ["predict", PENGUINS, "-m", penguins]
    assert linreg(*words, "-o", "-") == linreg(*words)
    assert not Path("-").exists()
    assert "--force needs an output file" in linreg(*words, "-o", "-", "--force").failure(2)


def test_an_empty_output_is_wrong_usage(linreg, penguins):
    assert "--output got an empty value" in linreg("predict", PENGUINS, "-m", penguins, "-o", "").failure(2)


def test_columns_do_not_apply_to_arrays(linreg, penguins, tmp_path):
    np.savez(tmp_path / "x.npz", x=np.zeros(3))
    message = linreg("predict", "x.npz", "-m", penguins, "-o", "out.npz", "--columns", "all").failure(2)
    assert "--columns belongs to tables, and this is a file of arrays" in message


def test_gzip_holds_the_csv(linreg, penguins):
    assert linreg("predict", PENGUINS, "-m", penguins, "-o", "a.csv").code == 0
    assert linreg("predict", PENGUINS, "-m", penguins, "-o", "a.csv.gz").code == 0
    assert gzip.decompress(Path("a.csv.gz").read_bytes()) == Path("a.csv").read_bytes()
    assert linreg("predict", PENGUINS, "-m", penguins).out == Path("a.csv").read_text()


def test_the_output_of_predict_is_a_table_again(linreg, penguins):
    """A folder of parts is read as one, without its list."""
    assert linreg("predict", PENGUINS, "-m", penguins, "-o", "parts/").code == 0
    assert linreg("predict", "parts", "-m", penguins).out == linreg("predict", PENGUINS, "-m", penguins).out
    for name in ("parts/", "parts/deeper/", "parts/out.csv"):
        message = linreg("predict", "parts", "-m", penguins, "-o", name, "--force").failure()
        assert "is inside the table parts, which is never changed; choose another -o" in message
