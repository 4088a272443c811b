"""Limits on size, and damaged files: read, or refused in one line."""

import gzip
import random

import numpy as np
import pyarrow as pa
import pyarrow.parquet
import pytest

from linreg.errors import DataError
from linreg.reading.stream import open_stream
from linreg.reading.tables import read_table
from tests.table_files import TWO, parquet, parquet_bytes, read, refused


def test_a_column_that_holds_no_numbers_is_not_even_read(tmp_path, small_parquet):
    """Of a damaged payload nothing is noticed, since its bytes are left alone."""
    table = pa.table({"payload": [b"word" * 100] * 3, "x": [1, 2, 3], "y": [2.0, 3.0, 5.0]})
    content = parquet_bytes(table, compression="none", use_dictionary=False)
    damaged = content.replace(b"word", b"\xff\xff\xff\xff")
    at = content.index(b"word") - 40
    damaged = damaged[:at] + b"\xff" * 40 + damaged[at + 40 :]
    for features in (None, ("x",)):
        assert read(tmp_path, damaged, features=features).features.tolist() == [[1.0], [2.0], [3.0]]


# ---- limits and damage -----------------------------------------------------------------------------------------------


def test_limit_of_columns(tmp_path):
    def content(columns):
        return ",".join(f"c{place}" for place in range(columns)) + "\n" + ",".join(["1"] * columns) + "\n"

    assert read(tmp_path, content(10_000), target="c9999").features.shape == (1, 9_999)
    refused(tmp_path, content(10_001), "has 10001 columns, expected 1 to 10000", target="c1")
    wide = pa.table({f"c{place}": [1] for place in range(10_001)})
    refused(tmp_path, wide, "has 10001 columns, expected 1 to 10000", target="c1")


def test_parquet_bomb(tmp_path):
    """600 million rows in a small file: nothing of them is held, and whoever asks for all is told how much that is."""
    path = tmp_path / "table"
    schema = pa.schema([("y", pa.null())])
    with pyarrow.parquet.ParquetWriter(path, schema) as writer:
        for _ in range(6):
            writer.write_table(pa.table({"y": pa.nulls(10**8)}, schema), row_group_size=10**8)
    assert path.stat().st_size < 10**6
    with pytest.raises(DataError, match="column 'y': has no values"):
        read_table(path, features=None, target="y")
    assert open_stream(path, features=("y",), target=None).rows == 600_000_000


@pytest.fixture(scope="module")
def small_parquet():
    kind = pa.array(["a", "bé"] * 10).dictionary_encode()
    columns = {"x": range(20), "t": [str(row) for row in range(20)], "k": kind, "l": [[row] for row in range(20)]}
    return parquet_bytes(pa.table({**columns, "n": [None, 1.5] * 10, "y": [row / 3 for row in range(20)]}))


def test_parquet_cut_anywhere(tmp_path, small_parquet):
    assert read(tmp_path, small_parquet).feature_names == ("x", "t", "n")
    for length in [*range(4, len(small_parquet), 5), *range(len(small_parquet) - 12, len(small_parquet))]:
        refused(tmp_path, small_parquet[:length], "is Parquet, but cannot be read")


def test_parquet_text_and_names_that_are_not_utf_8(tmp_path):
    content = parquet_bytes(parquet(name=["word", "text", "more"]), compression="none")
    for known in (b"name", b"word"):
        refused(tmp_path, content.replace(known, b"\xff" * 4), "is Parquet, but cannot be read: .*(?i:utf)")


def test_damaged_files_are_read_or_refused_in_one_line(tmp_path, small_parquet):
    generator = random.Random(7)
    quoted = "x,n,y\n" + "".join(f'{row},"a\n{row}",{row / 3}\n' for row in range(10))
    wholes = (small_parquet, small_parquet, quoted.encode(), TWO, gzip.compress(TWO * 3))
    damaged = [
        b"".join((small_parquet[:at], bytes([small_parquet[at] ^ 0x80]), small_parquet[at + 1 :]))
        for at in range(4, len(small_parquet), 5)
    ]
    for _ in range(1000):
        data = bytearray(generator.choice(wholes))
        for _ in range(generator.choice((1, 1, 2, 5))):
            at = generator.randrange(len(data))
            data[at : at + generator.choice((0, 1, 1, 1, 4))] = generator.randbytes(generator.choice((0, 1, 1, 1, 4)))
        damaged.append(bytes(data))
    outcomes = {"read": 0, "refused": 0}
    for data in damaged:
        try:
            table = read(tmp_path, data)
        except DataError as error:
            assert "\n" not in str(error)
            outcomes["refused"] += 1
        else:
            assert np.isfinite(table.features).all()
            assert np.isfinite(table.target).all()
            outcomes["read"] += 1
    assert min(outcomes.values()) > 50
