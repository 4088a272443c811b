"""CSV and Parquet keep every bit of every number, whatever stands beside it (properties)."""

import csv
import gzip
import io
from decimal import Decimal

import numpy as np
import pyarrow as pa
import pyarrow.parquet
from hypothesis import given
from hypothesis import strategies as st

from tests.table_files import bits, many, parquet_bytes, read

FLOATS = st.floats(allow_nan=False, allow_infinity=False)


@st.composite
def float_tables(draw):
    rows, columns = draw(st.integers(1, 8)), draw(st.integers(2, 5))
    return np.array(draw(st.lists(FLOATS, min_size=rows * columns, max_size=rows * columns))).reshape(rows, columns)


@many
@given(values=float_tables(), form=st.sampled_from([repr, "{:.17g}".format, "{:+.16E}".format]), packed=st.booleans())
def test_csv_keeps_every_bit(tmp_path, values, form, packed):
    names = [f"c{place}" for place in range(values.shape[1])]
    lines = [",".join(names), *(",".join(form(float(value)) for value in row) for row in values)]
    content = ("\n".join(lines) + "\n").encode()
    table = read(tmp_path, gzip.compress(content) if packed else content, target="c0")
    assert bits(table.features) == bits(values[:, 1:])
    assert bits(table.target) == bits(values[:, 0])


@many
@given(values=float_tables(), compression=st.sampled_from(["none", "snappy", "zstd"]), row_group=st.integers(1, 4))
def test_parquet_keeps_every_bit(tmp_path, values, compression, row_group):
    table = pa.table({f"c{place}": column for place, column in enumerate(values.T)})
    content = parquet_bytes(table, compression=compression, row_group_size=row_group)
    table = read(tmp_path, content, target="c0")
    assert bits(table.features) == bits(values[:, 1:])
    assert bits(table.target) == bits(values[:, 0])


@many
@given(
    cells=st.lists(st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"])), min_size=1, max_size=6),
    header=st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=5),
    end=st.sampled_from(["\n", "\r\n"]),
)
def test_any_quoted_text_leaves_the_numbers_in_their_rows(tmp_path, cells, header, end):
    stream = io.StringIO(newline="")
    rows = [[row, "text " + cell, row / 7] for row, cell in enumerate(cells)]
    csv.writer(stream, quoting=csv.QUOTE_ALL, lineterminator=end).writerows([["x", "n " + header, "y"], *rows])
    table = read(tmp_path, stream.getvalue())
    assert table.features[:, 0].tolist() == [*range(len(cells))]
    assert table.target.tolist() == [row / 7 for row in range(len(cells))]


@many
@given(
    values=st.lists(
        st.decimals(allow_nan=False, allow_infinity=False, places=18, min_value=-(10**19), max_value=10**19)
    )
)
def test_decimals_become_the_nearest_float(tmp_path, values):
    values = [Decimal("0.30000000000000004"), *values]
    table = pa.table({"x": pa.array(values, pa.decimal128(38, 18)), "y": [0.5] * len(values)})
    assert bits(read(tmp_path, table).features[:, 0]) == bits(np.array([float(value) for value in values]))
