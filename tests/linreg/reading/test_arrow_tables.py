"""Tables in memory: pandas, polars and pyarrow follow the same rules as files."""

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas
import polars
import pyarrow as pa
import pytest

from linreg.errors import DataError
from linreg.reading.choice import LeftOut
from linreg.reading.tables import Table, read_table
from tests.conftest import PENGUINS

LIBRARIES: dict[str, Callable[[dict[str, list[Any]]], Any]] = {
    "pandas": pandas.DataFrame,
    "polars": polars.DataFrame,
    "pyarrow": pa.table,
}
COLUMNS: dict[str, list[Any]] = {
    "x": [1, 2, 3, 4],
    "name": ["a", "b", "c", "d"],
    "z": [0.5, None, 1.5, 2.0],
    "flag": [True, False, True, True],
    "y": [2.0, 4.0, 6.5, 8.0],
}


@pytest.fixture(params=LIBRARIES)
def library(request: pytest.FixtureRequest) -> Callable[[dict[str, list[Any]]], Any]:
    return LIBRARIES[request.param]


def test_the_columns_used_and_left_out(library: Callable[..., Any]) -> None:
    table = read_table(library(COLUMNS), features=None, target="y")
    assert (table.feature_names, table.target_name) == (("x", "z"), "y")
    assert table.features.tolist() == [[1, 0.5], [3, 1.5], [4, 2]]
    assert table.target is not None
    assert table.target.tolist() == [2, 6.5, 8]
    assert table.complete.tolist() == [True, False, True, True]
    assert table.left_out == (
        LeftOut(name="name", reason="row 1 is 'a', not a number"),
        LeftOut(name="flag", reason="is bool, not numbers; name it in --features to use it as 0 and 1"),
    )
    assert table.notes == ("1 of 4 rows have no value in a used column and are left out",)


@pytest.mark.parametrize("reader", [pandas.read_csv, polars.read_csv])
def test_the_penguins_give_the_numbers_of_their_file(reader: Callable[..., Any]) -> None:
    options = {"null_values": "NA"} if reader is polars.read_csv else {}
    memory = read_table(reader(PENGUINS, **options), features=None, target="body_mass_g")
    file = read_table(PENGUINS, features=None, target="body_mass_g")
    assert memory.feature_names == file.feature_names
    np.testing.assert_array_equal(memory.features, file.features)
    np.testing.assert_array_equal(memory.target, file.target)


def test_the_sha256_is_that_of_the_numbers_used(library: Callable[..., Any]) -> None:
    values = np.array([[1, 0.5, 2], [2, np.nan, 4], [3, 1.5, 6.5], [4, 2, 8]])
    expected = hashlib.sha256(json.dumps(["x", "z", "y"]).encode() + values.astype("<f8").tobytes()).hexdigest()
    assert read_table(library(COLUMNS), features=None, target="y").sha256 == expected
    assert read_table(library(COLUMNS), features=("x", "z"), target="y").sha256 == expected
    assert read_table(library(COLUMNS), features=("z", "x"), target="y").sha256 != expected


@pytest.mark.parametrize("index", [["a", "b", "c", "d"], [10, 20, 30, 41]])
@pytest.mark.parametrize("name", [None, "id"])
def test_the_index_of_pandas_is_no_feature(index: list[Any], name: str | None) -> None:
    frame = pandas.DataFrame(COLUMNS, index=pandas.Index(index, name=name))
    table = read_table(frame, features=None, target="y")
    assert table.feature_names == ("x", "z")
    reasons = {column.name: column.reason for column in table.left_out}
    assert reasons[name or "__index_level_0__"].startswith("is the row index that pandas stored")


def test_text_of_numbers_and_categories(library: Callable[..., Any]) -> None:
    columns = {"x": ["1", "2.5", "NA", "4"], "y": COLUMNS["y"]}
    assert read_table(library(columns), features=None, target="y").features.tolist() == [[1], [2.5], [4]]


@pytest.mark.parametrize(
    "frame",
    [
        pandas.DataFrame({"c": pandas.Categorical(["u", "v", "u"]), "x": [1, 2, 3], "y": [1.0, 3.0, 2.0]}),
        polars.DataFrame({"c": ["u", "v", "u"], "x": [1, 2, 3], "y": [1.0, 3.0, 2.0]}).with_columns(
            polars.col("c").cast(polars.Categorical)
        ),
    ],
)
def test_categories_are_left_out(frame: Any) -> None:
    table = read_table(frame, features=None, target="y")
    assert table.feature_names == ("x",)
    assert [column.name for column in table.left_out] == ["c"]


def test_nan_and_null_of_polars_are_both_missing() -> None:
    frame = polars.DataFrame({"x": [1.0, float("nan"), None, 4.0], "y": COLUMNS["y"]})
    assert read_table(frame, features=None, target="y").complete.tolist() == [True, False, False, True]


def test_a_stream_that_is_read_once() -> None:
    reader = pa.table(COLUMNS).to_reader()
    assert read_table(reader, features=("x",), target="y").features.tolist() == [[1], [2], [3], [4]]


def message_of(read: Callable[[], Table]) -> str:
    with pytest.raises(DataError) as caught:
        read()
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_messages_name_the_kind_of_table(library: Callable[..., Any]) -> None:
    frame = library(COLUMNS)
    origin = type(frame).__name__
    wrong = message_of(lambda: read_table(frame, features=("X",), target="y"))
    assert wrong == f"{origin}: has no column 'X'; did you mean 'x'?"
    text = message_of(lambda: read_table(frame, features=("name",), target="y"))
    assert text == f"{origin}: column 'name': row 1 is 'a', not a number"


def test_infinite_values_and_equal_names_are_refused() -> None:
    infinite = pandas.DataFrame({"x": [1.0, float("inf")], "y": [1.0, 2.0]})
    assert "column 'x': row 2 is 'inf'" in message_of(lambda: read_table(infinite, features=None, target="y"))
    twice = pa.Table.from_arrays([pa.array([1, 2])] * 3, names=["x", "x", "y"])
    assert "two columns are called 'x'" in message_of(lambda: read_table(twice, features=None, target="y"))


@pytest.mark.parametrize(
    "data",
    [
        polars.Series("x", [1, 2]),
        pandas.DataFrame({"x": [1, "a", 2.5], "y": [1, 2, 3]}),
        pandas.DataFrame(index=[1, 2]).reset_index(drop=True),
    ],
)
def test_what_is_no_table_is_one_line(data: Any) -> None:
    assert message_of(lambda: read_table(data, features=None, target="y")).startswith(f"{type(data).__name__}: ")


def test_a_file_keeps_the_sha256_of_its_bytes(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_text("x,y\n1,2\n2,3\n")
    assert read_table(path, features=None, target="y").sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
