"""CSV text: what other readers get back from it. Oracles: the csv module, pandas and pyarrow's own writer."""

import csv
import io

import numpy as np
import pandas
import pyarrow as pa
import pyarrow.csv
import pytest
from hypothesis import given
from hypothesis import strategies as st

from linreg.errors import DataError
from linreg.writing import csv_text
from linreg.writing.csv_text import check_csv, csv_chunks
from tests.table_files import many

CELL = st.one_of(st.none(), st.text(st.sampled_from("a1,\"\n\r '=;é\t"), max_size=5), st.text(max_size=5))
SPELLED = [0.1, -0.0, 1e22, 4e-300, 5e-324, 1.7976931348623157e308, 1.0, 123456789.0, None, float("nan"), float("inf")]


def text_of(*batches):
    return b"".join(csv_chunks(batches)).decode()


def rows_of(text):
    return list(csv.reader(io.StringIO(text, newline=""), strict=True))


@many
@given(st.integers(1, 3).flatmap(lambda width: st.lists(st.lists(CELL, min_size=width, max_size=width), max_size=6)))
def test_every_text_comes_back(rows):
    width = len(rows[0]) if rows else 2
    names = [f"c{place}" for place in range(width)]
    columns = [pa.array([row[place] for row in rows], pa.large_string()) for place in range(width)]
    read = rows_of(text_of(pa.record_batch(columns, names=names)))
    assert read == [names, *([cell or "" for cell in row] for row in rows)]


def test_a_cell_is_quoted_only_if_it_must_be():
    cells = ["17", "x y", " s ", "=1+1", "it's", "a,b", 'a"b', "a\nb", "a\rb", ""]
    batch = pa.record_batch([pa.array(cells), pa.array(range(len(cells)))], names=["id", "n"])
    expected = ["17", "x y", " s ", "=1+1", "it's", '"a,b"', '"a""b"', '"a\nb"', '"a\rb"', ""]
    assert text_of(batch) == '"id","n"\n' + "".join(f"{cell},{place}\n" for place, cell in enumerate(expected))


@pytest.mark.parametrize("kind", ["float64", "float32"])
@pytest.mark.parametrize("beside", [None, 'a"b'], ids=["plain", "quoted"])
def test_numbers_are_written_as_pyarrow_writes_them(kind, beside):
    with np.errstate(over="ignore", under="ignore"):
        values = [None if value is None else float(np.dtype(kind).type(value)) for value in SPELLED]
    numbers = pa.array(values, getattr(pa, kind)())
    own = [row[0] for row in rows_of(text_of(pa.record_batch([numbers, pa.array([beside] * len(values))], names="ab")))]
    theirs = io.BytesIO()
    pyarrow.csv.write_csv(pa.table({"a": numbers, "b": numbers}), theirs)
    assert own[1:] == [row[0] for row in rows_of(theirs.getvalue().decode())[1:]]


@pytest.mark.parametrize("kind", [pa.float64(), pa.large_string()], ids=str)
def test_no_row_of_a_single_column_is_an_empty_line(kind):
    batch = pa.record_batch([pa.array([None, None, None], kind)], names=["p"])
    text = text_of(batch)
    assert text == '"p"\n""\n""\n""\n'
    assert len(pandas.read_csv(io.StringIO(text))) == 3
    assert pyarrow.csv.read_csv(io.BytesIO(text.encode())).num_rows == 3


def test_a_header_like_a_formula_gets_an_apostrophe():
    batch = pa.record_batch([pa.array([1])] * 5, names=["=cmd", "@sum", "plain", 'a"b', ""])
    assert text_of(batch) == '"\'=cmd","\'@sum","plain","a""b",""\n1,1,1,1,1\n'


def test_batches_without_rows_leave_the_header_alone():
    empty = pa.record_batch([pa.array([], pa.float64())], names=["x"])
    assert text_of(empty) == '"x"\n'
    full = pa.record_batch([pa.array([1.5])], names=["x"])
    assert text_of(full, empty, full) == '"x"\n1.5\n1.5\n'


def test_how_many_cells_are_written_at_a_time_does_not_matter(monkeypatch):
    batch = pa.record_batch([pa.array(["a", "b,", "c", "d", None]), pa.array([1.0, 2, 3, None, 5])], names="xy")
    at_once = text_of(batch.slice(1))
    monkeypatch.setattr(csv_text, "CELLS", 4)
    assert len(list(csv_chunks([batch.slice(1)]))) == 3
    assert text_of(batch.slice(1)) == at_once == '"x","y"\n"b,",2\nc,3\nd,\n,5\n'


@pytest.mark.parametrize(
    ("values", "shown"),
    [
        (pa.array([True, None]), ["true", ""]),
        (pa.array([1, None], pa.uint8()), ["1", ""]),
        (pa.array(["a,", None]).dictionary_encode(), ["a,", ""]),
        (pa.array(["a,", None], pa.string_view()), ["a,", ""]),
        (pa.array([0, None], pa.date32()), ["1970-01-01", ""]),
        (pa.array([None, None]), ["", ""]),
    ],
    ids=lambda value: str(getattr(value, "type", "")),
)
def test_other_types_are_written_as_text(values, shown):
    for beside in ("b", 'b"'):
        batch = pa.record_batch([values, pa.array([beside] * 2)], names=["v", "b"])
        check_csv("t", batch.schema)
        assert [row[0] for row in rows_of(text_of(batch))[1:]] == shown


@pytest.mark.parametrize(
    "kind", [pa.binary(), pa.large_binary(), pa.binary(2), pa.binary_view(), pa.dictionary(pa.int8(), pa.binary())]
)
def test_a_column_of_bytes_is_refused(kind):
    with pytest.raises(DataError, match=r"column 'raw' is .*, which a CSV cannot hold; write Parquet"):
        check_csv("t.parquet", pa.schema([("raw", kind)]))


def test_a_nested_column_is_refused():
    schema = pa.schema([("a", pa.float64()), ("tags", pa.list_(pa.int8()))])
    with pytest.raises(DataError, match=r"t\.parquet: column 'tags' is list.*, which a CSV cannot hold; write Parquet"):
        check_csv("t.parquet", schema)
