"""A file that changes between two passes or within one is an error: they would see different numbers."""

import gzip
import os

import numpy as np
import pyarrow as pa
import pyarrow.parquet
import pytest

from linreg.errors import DataError
from linreg.reading.blocks import BLOCK_ROWS
from linreg.reading.stream import open_stream


def write(path, slope):
    x = np.arange(1000.0)
    pyarrow.parquet.write_table(pa.table({"x": x, "y": slope * x}), path)


@pytest.mark.parametrize("form", ["path", "uri"])
def test_a_file_that_changes_between_passes_is_refused(tmp_path, form):
    path = tmp_path / "t.parquet"
    write(path, 2.0)
    stream = open_stream(path if form == "path" else path.as_uri(), features=("x",), target="y")
    before = path.stat()
    assert len(list(stream.blocks())) == 1
    write(path, 3.0)
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns + 10**9))
    with pytest.raises(DataError, match="has changed since it was first read"):
        list(stream.blocks())


def touch(path):
    before = path.stat()
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns + 10**9))


@pytest.mark.parametrize("form", ["path", "uri"])
@pytest.mark.parametrize("name", ["t.parquet", "t.csv", "t.csv.gz"])
def test_a_file_that_changes_within_the_last_pass_is_refused(tmp_path, name, form):
    path = tmp_path / name
    if name == "t.parquet":
        write(path, 2.0)
    else:
        text = b"x,y\n" + b"1,2\n" * 1000
        path.write_bytes(gzip.compress(text) if name.endswith(".gz") else text)
    blocks = open_stream(path if form == "path" else path.as_uri(), features=("x",), target="y").blocks()
    next(blocks)
    touch(path)
    with pytest.raises(DataError, match=rf"{name}: has changed since it was first read; start again"):
        list(blocks)


def test_the_files_of_a_range_of_rows_are_those_that_were_read(tmp_path):
    rows = [0, BLOCK_ROWS, BLOCK_ROWS, 3]
    for place, count in enumerate(rows):
        pyarrow.parquet.write_table(pa.table({"x": np.arange(float(count))}), tmp_path / f"{place}.parquet")
    stream = open_stream(tmp_path, features=("x",), target=None)
    blocks = stream.blocks(BLOCK_ROWS, 2 * BLOCK_ROWS)
    next(blocks)
    touch(tmp_path / "1.parquet")
    touch(tmp_path / "3.parquet")
    assert list(blocks) == []
    blocks = stream.blocks(BLOCK_ROWS, 2 * BLOCK_ROWS)
    next(blocks)
    touch(tmp_path / "2.parquet")
    with pytest.raises(DataError, match=r"2\.parquet: has changed since it was first read"):
        list(blocks)


def test_columns_of_the_same_name_are_passed_through_apart(tmp_path):
    columns = [pa.array([1.0, 2.0]), pa.array(["A", "B"]), pa.array(["C", "D"])]
    path = tmp_path / "t.parquet"
    pyarrow.parquet.write_table(pa.Table.from_arrays(columns, names=["x", "id", "id"]), path)
    (block,) = open_stream(path, features=("x",), target=None, passing=None).blocks()
    assert [column.to_pylist() for column in block.passed.columns] == [[1.0, 2.0], ["A", "B"], ["C", "D"]]


def test_a_pattern_leaves_out_what_a_folder_leaves_out(tmp_path):
    write(tmp_path / "part-0.parquet", 2.0)
    (tmp_path / "_manifest.json").write_text("{}")
    stream = open_stream(f"{tmp_path}/*", features=("x",), target="y")
    assert stream.rows == 1000


@pytest.mark.parametrize("option", ["client_secret=hunter2", "sv=1&sig=hunter2", "account_key=hunter2"])
def test_keys_of_other_stores_are_refused_too(option):
    with pytest.raises(DataError) as refused:
        open_stream(f"abfs://bucket/t.csv?{option}", features=("x",), target=None)
    assert "hunter2" not in str(refused.value)
