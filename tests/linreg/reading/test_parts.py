"""Parts of a table, or the start and the rest of a pipe, that do not tell the same of a column."""

import gzip
import subprocess
import sys

import pyarrow as pa
import pyarrow.parquet
import pytest

from linreg.errors import DataError
from linreg.reading.stream import open_stream
from linreg.reading.tables import read_table


def parts(folder, *tables):
    for place, table in enumerate(tables):
        pyarrow.parquet.write_table(pa.table(table), folder / f"part-{place}.parquet")
    return folder


Y = [1.0, 2.0]
NUMBERS = [
    pa.array([3, 4], pa.int8()),
    pa.array([3.0, 4.0], pa.float32()),
    pa.array(["3", "4"]),
    pa.array(["3", "4"]).dictionary_encode(),
    pa.array([3, 4], pa.int8()).cast(pa.decimal128(9, 2)),
]


@pytest.mark.parametrize("other", NUMBERS, ids=lambda column: str(column.type)[:10])
def test_numbers_of_any_type_are_one_column(tmp_path, other):
    table = read_table(parts(tmp_path, {"x": [1.0, 2.0], "y": Y}, {"x": other, "y": Y}), features=None, target="y")
    assert table.features.tolist() == [[1.0], [2.0], [3.0], [4.0]]


@pytest.mark.parametrize(
    ("first", "other", "problem"),
    [
        ([1.0, 2.0], pa.array([True, False]), "is bool, not numbers"),
        ([1.0, 2.0], pa.array([0, 1], pa.timestamp("ms")), r"is timestamp\[ms\], not numbers"),
        ([1.0, 2.0], pa.array([[1], [2]]), "is list<.*>, not numbers"),
        ([True, False], pa.array([5, 1]), "row 1 is '5', not true or false as the rows before"),
    ],
    ids=["bool", "time", "list", "number after bool"],
)
def test_what_is_no_number_is_refused_by_the_name_of_its_file(tmp_path, first, other, problem):
    folder = parts(tmp_path, {"x": first, "y": Y}, {"x": other, "y": Y})
    with pytest.raises(DataError, match=rf"part-1\.parquet: column 'x': {problem}"):
        read_table(folder, features=("x",), target="y")


@pytest.mark.parametrize("empty", [pa.array([None, None], pa.float64()), pa.nulls(2)], ids=["float", "null"])
def test_a_column_that_is_empty_in_the_first_file_does_not_vanish(tmp_path, empty):
    folder = parts(tmp_path, {"x": Y, "t": empty, "y": Y}, {"x": Y, "t": [None, 5.0], "y": Y})
    problem = r"part-1\.parquet: column 't': had no values in the rows that were read first, but row 2 is 5; name the"
    with pytest.raises(DataError, match=problem):
        read_table(folder, features=None, target="y")
    assert read_table(folder, features=("x", "t"), target="y").complete.tolist() == [False, False, False, True]
    parts(tmp_path, {"x": Y, "t": empty, "y": Y}, {"x": Y, "t": pa.array([None, None], pa.float64()), "y": Y})
    assert read_table(folder, features=None, target="y").feature_names == ("x",)


PROGRAM = """
from linreg.reading.stream import open_stream
from linreg.errors import DataError
try:
    stream = open_stream("-", features=None, target="y")
    print(stream.feature_names, sum(len(block.values) for block in stream.blocks()))
except DataError as error:
    print(error)
"""


@pytest.mark.parametrize(
    ("last", "shown"),
    [
        (
            "2,5,3\n",
            "-: column 't': had no values in the rows that were read first, but row 1100001 is 5; name the columns to "
            "use with --features\n",
        ),
        ("2,,3\n", "('x',) 1100001\n"),
        ("2,word,3\n", "('x',) 1100001\n"),
    ],
)
def test_a_column_that_begins_empty_in_a_pipe_does_not_vanish(last, shown):
    text = "x,t,y\n" + "1,,2\n" * 1_100_000 + last
    found = subprocess.run([sys.executable, "-c", PROGRAM], input=text.encode(), capture_output=True, check=True)
    assert found.stdout.decode() == shown


@pytest.mark.parametrize("suffix", ["csv", "csv.gz", "parquet"])
def test_parts_without_rows_do_not_matter(tmp_path, suffix):
    for place, rows in enumerate([0, 0, 1, 0, 2, 0]):
        path = tmp_path / f"part-{place}.{suffix}"
        if suffix == "parquet":
            kinds = pa.schema([("x", pa.float64()), ("word", pa.string()), ("y", pa.float64())])
            pyarrow.parquet.write_table(pa.table([Y[:rows], ["a"] * rows, Y[:rows]], schema=kinds), path)
        else:
            text = "x,word,y\n" + "".join(f"{y},a,{y}\n" for y in Y[:rows])
            path.write_bytes(gzip.compress(text.encode()) if suffix == "csv.gz" else text.encode())
    stream = open_stream(tmp_path, features=None, target="y")
    assert stream.feature_names == ("x",)
    [block] = stream.blocks()
    assert block.values.tolist() == [[1.0, 1.0], [1.0, 1.0], [2.0, 2.0]]


@pytest.mark.parametrize(
    ("first", "second", "kind"),
    [
        (pa.array([1, 2]), pa.array([3, 4], pa.int8()), pa.int64()),
        (pa.array([1, 2], pa.int8()), pa.array([3, 2**40]), pa.int64()),
        (pa.nulls(2), pa.array(["a", "b"]), pa.string()),
        (pa.array(["a", None]), pa.nulls(2), pa.string()),
        (pa.array(["a", "b"]), pa.array(["c", "d"], pa.large_string()), pa.large_string()),
        (pa.array(["a", "b"]).dictionary_encode(), pa.array(["c", "d"]), pa.dictionary(pa.int32(), pa.string())),
    ],
    ids=["narrower", "wider", "empty first", "empty last", "large", "dictionary"],
)
def test_columns_that_pass_through_get_a_type_that_holds_the_values_of_all_files(tmp_path, first, second, kind):
    folder = parts(tmp_path, {"x": Y, "id": first}, {"x": Y, "id": second})
    stream = open_stream(folder, features=("x",), target=None, passing=("id",))
    [block] = stream.blocks()
    assert block.passed.column("id").to_pylist() == [*first.to_pylist(), *second.to_pylist()]
    assert block.passed.schema.field("id").type == stream.passed_schema.field("id").type == kind


def test_columns_that_pass_through_and_have_no_common_type_are_refused(tmp_path):
    folder = parts(tmp_path, {"x": Y, "id": pa.array([1, 2])}, {"x": Y, "id": pa.array(["a", "b"])})
    with pytest.raises(
        DataError, match=r"part-1\.parquet: column 'id': is string, and cannot become int64 as in other files"
    ):
        list(open_stream(folder, features=("x",), target=None, passing=("id",)).blocks())
