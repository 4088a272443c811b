"""Long texts that pass through are read a few rows at a time, in blocks that are cut; no value changes."""

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet
import pytest

from linreg.reading import blocks, csv_chunks, parquet_source
from linreg.reading.blocks import BLOCK_ROWS
from linreg.reading.stream import open_stream

LIMIT = 200_000
ROWS = BLOCK_ROWS + 5_000


@pytest.fixture(scope="module")
def table():
    random = np.random.default_rng(0)
    texts = [f"{number:0100d}" for number in random.integers(0, 2**60, ROWS)]
    return pa.table({"x": np.arange(float(ROWS)), "long": texts, "list.of": [[1, 2]] * ROWS})


@pytest.fixture(autouse=True)
def small_limit(monkeypatch):
    for module in (blocks, parquet_source):
        monkeypatch.setattr(module, "PASSED_BYTES", LIMIT)


def check(stream, table):
    found = list(stream.blocks())
    assert max(block.passed.nbytes for block in found) < 2 * LIMIT
    assert [block.start for block in found] == np.cumsum([0, *(len(block.values) for block in found)])[:-1].tolist()
    assert all(block.start // BLOCK_ROWS == (block.start + len(block.values) - 1) // BLOCK_ROWS for block in found)
    assert np.concatenate([block.values[:, 0] for block in found]).tolist() == table["x"].to_pylist()
    passed = pa.Table.from_batches([block.passed for block in found])
    assert all(passed[name].to_pylist() == table[name].to_pylist() for name in passed.schema.names)


def test_parquet(tmp_path, table):
    pyarrow.parquet.write_table(table, tmp_path / "t.parquet", row_group_size=ROWS)
    check(open_stream(tmp_path / "t.parquet", features=("x",), target=None, passing=("long", "list.of")), table)


def test_csv(tmp_path, table, monkeypatch):
    monkeypatch.setattr(csv_chunks, "CHUNK_BYTES", 100_000)
    pyarrow.csv.write_csv(table.select(["x", "long"]), tmp_path / "t.csv")
    check(open_stream(tmp_path / "t.csv", features=("x",), target=None, passing=("long",)), table)


def test_numbers_alone_are_not_cut(tmp_path, table):
    pyarrow.parquet.write_table(table, tmp_path / "t.parquet", row_group_size=ROWS)
    stream = open_stream(tmp_path / "t.parquet", features=("x",), target=None)
    assert [len(block.values) for block in stream.blocks()] == [BLOCK_ROWS, 5_000]
