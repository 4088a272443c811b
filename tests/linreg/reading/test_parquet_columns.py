"""Which types of Parquet are numbers, and which columns are the row index of pandas."""

import json
from decimal import Decimal

import numpy as np
import pyarrow as pa
import pyarrow.parquet
import pytest

import linreg as package
from linreg.errors import DataError
from tests.table_files import parquet, read, refused

# ---- Parquet types ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "column",
    [
        pa.array([1, None, 3], pa.int8()),
        pa.array([1, None, 3], pa.uint64()),
        pa.array([1.0, np.nan, 3.0], pa.float32()),
        pa.array(np.array([1, np.nan, 3], np.float16)),
        pa.array([Decimal("1.00"), None, Decimal("3.00")]),
        pa.array([Decimal("1E+3"), None, Decimal("3E+3")], pa.decimal256(76, 40)),
        pa.array([1, None, 3]).dictionary_encode(),
        pa.array(["1", None, "3"]).dictionary_encode(),
        pa.array(["1", "NA", " 3"]),
        pa.array(["1", None, "3"], pa.large_string()),
        pa.array(["1", None, "3"], pa.string_view()),
    ],
    ids=lambda column: str(column.type)[:24].replace("/", "-"),
)
def test_parquet_columns_of_numbers(tmp_path, column):
    table = read(tmp_path, parquet(x=column))
    unit = 1000.0 if column.type == pa.decimal256(76, 40) else 1.0
    assert table.features.tolist() == [[unit], [3 * unit]]
    assert table.complete.tolist() == [True, False, True]


@pytest.mark.parametrize(
    ("column", "reason"),
    [
        (pa.array([[1], [2], []]), "is list<element: int64>, not numbers"),
        (pa.array([{"a": 1}, {"a": 2}, None]), "is struct<a: int64>, not numbers"),
        (pa.array([1, 2, 3], pa.timestamp("ms")), r"is timestamp\[ms\], not numbers"),
        (pa.array([1, 2, 3], pa.date32()), r"is date32\[day\], not numbers"),
        (pa.array([b"1", b"2", b"3"]), "is binary, not numbers"),
        (pa.array(["a", "b", "a"]).dictionary_encode(), "row 1 is 'a', not a number"),
        (pa.nulls(3), "has no values"),
        (pa.nulls(3, pa.float64()), "has no values"),
        (pa.nulls(3, pa.string()), "has no values"),
        (pa.array([np.nan] * 3), "has no values"),
    ],
    ids=lambda value: str(value.type)[:24] if isinstance(value, pa.Array) else "",
)
def test_parquet_columns_that_are_none(tmp_path, column, reason):
    table = parquet(k=column, x=[1, 2, 3])
    refused(tmp_path, table, f"column 'k': {reason}", features=("k",))
    used = read(tmp_path, table)
    assert used.feature_names == ("x",)
    assert used.left_out[0].name == "k"
    assert used.left_out[0].reason == reason.replace("\\", "")
    assert len(used.features) == 3


def test_booleans_are_numbers_only_as_a_feature_that_was_named(tmp_path):
    table = parquet(k=pa.array([True, False, None]), x=[1, 2, 3])
    assert read(tmp_path, table, features=("k",)).features.tolist() == [[1.0], [0.0]]
    refused(tmp_path, table, "column 'k': is bool, not numbers", features=("x",), target="k")
    refused(tmp_path, table, "column 'k': is bool, not numbers", target="k")
    used = read(tmp_path, table)
    assert used.feature_names == ("x",)
    assert used.left_out[0].reason == "is bool, not numbers; name it in --features to use it as 0 and 1"


# ---- the row index of pandas -----------------------------------------------------------------------------------------


def with_index(index_columns, **columns):
    table = pa.table({**columns, "y": [2.0, 3.0, 5.0]})
    return table.replace_schema_metadata({"pandas": json.dumps({"index_columns": index_columns})})


@pytest.mark.parametrize(
    ("name", "index_columns"),
    [
        ("__index_level_0__", ["__index_level_0__"]),
        ("id", ["id"]),
        ("__index_level_0__", ["other"]),
        ("__index_level_1__", [{"kind": "range", "name": None, "start": 0, "stop": 3, "step": 1}]),
    ],
    ids=["unnamed", "named", "not-recorded", "range"],
)
def test_the_row_index_of_pandas_is_no_feature(tmp_path, name, index_columns):
    content = with_index(index_columns, x=[1, 2, 4], **{name: [7, 9, 8]})
    table = read(tmp_path, content)
    assert table.feature_names == ("x",)
    assert [(column.name, column.reason) for column in table.left_out] == [
        (name, "is the row index that pandas stored; choose it with --features")
    ]
    assert read(tmp_path, content, features=(name,)).features.tolist() == [[7.0], [9.0], [8.0]]
    assert read(tmp_path, content, target=name).target.tolist() == [7.0, 9.0, 8.0]


def test_a_range_and_damaged_records_of_pandas_leave_every_column(tmp_path):
    ranges = [{"kind": "range", "name": "x", "start": 0, "stop": 3, "step": 1}]
    assert read(tmp_path, with_index(ranges, x=[1, 2, 4])).feature_names == ("x",)
    for record in (b"", b"[]", b"\xff", b"[" * 10**5, b'{"index_columns": 1}', b'{"index_columns": [["x"], null]}'):
        table = pa.table({"x": [1, 2, 4], "y": [2.0, 3.0, 5.0]}).replace_schema_metadata({b"pandas": record})
        assert read(tmp_path, table).feature_names == ("x",)


@pytest.mark.parametrize(("numbers", "used"), [([0, 1, 2], False), ([0, 1, 3], True), ([1, 2, 3], True)])
def test_a_column_that_pandas_named_and_that_counts_the_rows(tmp_path, numbers, used):
    content = "Unnamed: 0,x,y\n" + "".join(f"{number},{number * number},{number}\n" for number in numbers)
    table = read(tmp_path, content)
    assert table.feature_names == (("Unnamed: 0", "x") if used else ("x",))
    assert [column.name for column in table.left_out] == ([] if used else ["Unnamed: 0"])
    assert read(tmp_path, content, features=("Unnamed: 0",)).feature_names == ("Unnamed: 0",)


# ---- text that looks like numbers ------------------------------------------------------------------------------------

ZIPS = [f"{place * 7:05d}" for place in range(40)]
SIZES = [str(place % 7) for place in range(40)]


def table_of_texts(zips):
    y = [float(place % 5 + place) for place in range(len(zips))]
    return pa.table({"zip": zips, "size": SIZES, "x": [float(place**2) for place in range(len(zips))], "y": y})


@pytest.mark.parametrize("encoded", [False, True], ids=["text", "dictionary"])
def test_text_of_numbers_is_named_and_ids_are_left_out(tmp_path, encoded):
    table = table_of_texts(ZIPS)
    if encoded:
        table = table.set_column(0, "zip", table["zip"].dictionary_encode())
    pyarrow.parquet.write_table(table, tmp_path / "t.parquet")
    for data in (tmp_path / "t.parquet", table):
        model = package.fit(data, target="y", split=1)
        reasons = {column.name: column.reason for column in model.left_out}
        assert reasons == {"zip": "text with leading zeros, probably an id; choose it with --features"}
        assert model.card.features == ("size", "x")
        (note,) = model.notes
        assert note == "read as numbers although their type is text: 'size'; to leave one out, name the features"
        named = package.fit(data, target="y", features=["zip", "size"], split=1)
        assert (named.card.features, named.notes) == (("zip", "size"), ())


def test_leading_zeros_in_later_rows_are_refused(tmp_path):
    first, later = table_of_texts([f"1{code[1:]}" for code in ZIPS]), table_of_texts(ZIPS)
    for name, table in (("a", first), ("b", later)):
        pyarrow.parquet.write_table(table, tmp_path / f"{name}.parquet")
    message = "column 'zip': its type is text, and '00000' has leading zeros, so it is probably an id; choose"
    with pytest.raises(DataError, match=message):
        package.fit(tmp_path, target="y", split=1)
    assert package.fit(tmp_path, target="y", features=["x", "zip"], split=1).card.features == ("x", "zip")


def test_a_target_of_text_may_have_leading_zeros(tmp_path):
    table = table_of_texts(ZIPS).select(["x", "zip"])
    assert package.fit(table, target="zip", split=1).notes == ()
