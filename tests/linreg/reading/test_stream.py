"""A table as a stream of blocks: the same rows and numbers as the table read at once, wherever the files are cut."""

import pickle
import random

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet
import pytest

from linreg.errors import DataError
from linreg.reading import csv_chunks
from linreg.reading.blocks import BLOCK_ROWS
from linreg.reading.stream import open_stream
from tests.table_files import bits, write

ROWS = 2 * BLOCK_ROWS + 1234
NAMES = ("a", "b", "c", "y")


@pytest.fixture(scope="module")
def numbers():
    values = np.random.default_rng(3).normal(size=(ROWS, 4))
    values[::1000, 1] = np.nan
    return values


@pytest.fixture(scope="module")
def table(numbers):
    return pa.table({name: pa.array(numbers[:, place], from_pandas=True) for place, name in enumerate(NAMES)})


@pytest.fixture(params=["parquet", "parquet in groups of 7,777", "csv", "quoted header", "arrow", "arrow in chunks"])
def place(request, table, tmp_path):
    path = tmp_path / "table"
    if request.param.startswith("parquet"):
        pyarrow.parquet.write_table(table, path, row_group_size=7777 if "groups" in request.param else None)
    elif request.param == "csv":
        pyarrow.csv.write_csv(table, path, pyarrow.csv.WriteOptions(quoting_header="none"))
    elif request.param == "quoted header":
        pyarrow.csv.write_csv(table, path)
    elif request.param == "arrow":
        return table
    else:
        return pa.concat_tables([table[start : start + 9_999] for start in range(0, ROWS, 9_999)])
    return path


def values_of(stream, *bounds):
    return np.concatenate([block.values for block in stream.blocks(*bounds)])


def test_blocks_have_every_row_in_order(place, numbers):
    stream = open_stream(place, features=("c", "a", "b"), target="y")
    for _ in range(2):
        blocks = list(stream.blocks())
        assert [block.start for block in blocks] == [0, BLOCK_ROWS, 2 * BLOCK_ROWS]
        assert [len(block.values) for block in blocks] == [BLOCK_ROWS, BLOCK_ROWS, 1234]
        assert all(block.values.flags.f_contiguous for block in blocks)
        assert bits(np.concatenate([block.values for block in blocks])) == bits(numbers[:, [2, 0, 1, 3]])
    assert stream.rows == ROWS
    assert stream.notes == (f"133 of {ROWS} rows have no value in a used column and are left out",)


def test_a_range_of_blocks_is_the_same_before_and_after_a_whole_pass(place, numbers):
    stream = open_stream(place, features=None, target="y")
    assert stream.feature_names == ("a", "b", "c")
    for _ in range(2):
        assert bits(values_of(stream, BLOCK_ROWS, 2 * BLOCK_ROWS)) == bits(numbers[BLOCK_ROWS : 2 * BLOCK_ROWS])
        assert bits(values_of(stream, 2 * BLOCK_ROWS)) == bits(numbers[2 * BLOCK_ROWS :])
        assert list(stream.blocks(BLOCK_ROWS, BLOCK_ROWS)) == []
        assert bits(values_of(stream)) == bits(numbers)


def test_bytes_read_add_up_to_the_size(place):
    stream = open_stream(place, features=("a",), target=None)
    done = sum(block.read_bytes for block in stream.blocks())
    assert 0.99 * stream.size_bytes < done <= stream.size_bytes


def test_a_stream_of_a_file_can_be_sent_to_another_process(tmp_path, numbers, table):
    for content in (table, b"a,b\n1,2\n3,4\n"):
        stream = open_stream(write(tmp_path / "table", content), features=("b",), target="a")
        first = values_of(stream)
        again = pickle.loads(pickle.dumps(stream))
        assert bits(values_of(again)) == bits(first)
        assert again.rows == stream.rows


@pytest.mark.parametrize("size", [1, 2, 3, 7, 64])
def test_chunks_end_where_records_end(tmp_path, monkeypatch, size):
    monkeypatch.setattr(csv_chunks, "CHUNK_BYTES", size)
    text = 'x,"t",y\r\n1,"a,\n""b""",2\r\n\n3,"",4\n"5",q"q,6\n7,"c""",8'
    stream = open_stream(write(tmp_path / "table", text), features=("x",), target="y", passing=("t",))
    blocks = list(stream.blocks())
    assert blocks[0].values.tolist() == [[1.0, 2.0], [3.0, 4.0], [5.0, 6.0], [7.0, 8.0]]
    assert blocks[0].passed.column("t").to_pylist() == ['a,\n"b"', "", 'q"q', 'c"']


def test_chunks_of_random_text_are_cut_as_the_whole_is_parsed(tmp_path, monkeypatch):
    """Whatever stands in the cells, chunks of few bytes give what one chunk gives, or both are refused."""
    generator = random.Random(5)
    outcomes = {"read": 0, "refused": 0}
    for _ in range(300):
        kinds = ['"a\nb"', '""', '"x""y"', "1", 'a"b', "", "é", "q", '"\n"', '"a"b', '"']
        cells = generator.choices(kinds, [4] * 9 + [1] * 2, k=6)
        rows = "".join(f"{place},{cell}\n" for place, cell in enumerate(cells))
        path = write(tmp_path / "table", "y,t\n" + rows)
        results = []
        for size in (10_000, generator.randint(1, 20)):
            monkeypatch.setattr(csv_chunks, "CHUNK_BYTES", size)
            try:
                [block] = open_stream(path, features=("y",), target=None, passing=("t",)).blocks()
                results.append((block.values.tolist(), block.passed.to_pydict()))
            except DataError:
                results.append("refused")
        assert results[0] == results[1], rows
        outcomes["refused" if results[0] == "refused" else "read"] += 1
    assert min(outcomes.values()) > 30


def test_a_bad_cell_far_down_is_named_with_its_row_in_the_file(tmp_path):
    rows = 60_000
    for bad, problem in (("1,000", "not a number"), ("inf", "expected a finite number"), ("NAN", "not a number")):
        lines = [f"{row},{row}" for row in range(rows)]
        lines[51_233] = f'"{bad}",1'
        path = write(tmp_path / "table", "x,y\n" + "\n".join(lines))
        with pytest.raises(DataError, match=f"column 'x': row 51234 is '?{bad}'?, {problem}"):
            list(open_stream(path, features=("x",), target="y").blocks())
    lines[51_233] = "1,2,3"
    with pytest.raises(DataError, match="row 51234: got 3 cells, expected 2 as in the header"):
        list(open_stream(write(path, "x,y\n" + "\n".join(lines)), features=("x",), target="y").blocks())
    lines[51_233] = '1,"2'
    with pytest.raises(DataError, match=r"row 51234 cannot be read: .*; check its quotes"):
        list(open_stream(write(path, "x,y\n" + "\n".join(lines)), features=("x",), target="y").blocks())


def test_a_number_far_down_in_a_column_of_text_is_an_error(tmp_path):
    text = "x,t,y\n" + "1,word,2\n" * 700_000 + "2,5,3\n"
    stream = open_stream(write(tmp_path / "table", text), features=None, target="y")
    assert stream.feature_names == ("x",)
    with pytest.raises(DataError, match=r"column 't': row 1 is 'word', not a number, but row 700001 is '?5'?"):
        list(stream.blocks())


def test_a_column_that_begins_empty_is_used_if_a_value_comes(tmp_path):
    empty = "1,,2\n" * 1_100_000
    stream = open_stream(write(tmp_path / "table", "x,t,y\n" + empty + "2,5,3\n"), features=None, target="y")
    assert stream.feature_names == ("x", "t")
    stream = open_stream(write(tmp_path / "table", "x,t,y\n" + empty), features=None, target="y")
    assert [(column.name, column.reason) for column in stream.left_out] == [("t", "has no values")]
