"""Blocks that are kept for several passes: in memory, in a temporary file, or read again."""

import contextlib
import gzip
import os
import tempfile
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from linreg.errors import DataError
from linreg.reading.blocks import BLOCK_ROWS
from linreg.reading.held import held
from linreg.reading.stream import open_stream
from tests.table_files import bits, write

ROWS = 2 * BLOCK_ROWS + 5
TEXT = "x,y\n" + "".join(f"{row},{row / 7}\n" if row % 1000 else "NA,1\n" for row in range(ROWS))
NUMBERS = np.array([[row if row % 1000 else np.nan, row / 7 if row % 1000 else 1] for row in range(ROWS)])


def temporary_files(folder):
    """Return the open files of a folder; the descriptor that lists them is closed by the time it is read."""
    links = []
    for entry in Path("/proc/self/fd").iterdir():
        with contextlib.suppress(OSError):
            links.append(str(entry.readlink()))
    return [link for link in links if str(folder) in link]


@pytest.fixture
def temporary(tmp_path, monkeypatch):
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    return folder


@pytest.mark.parametrize("memory_bytes", [10**9, BLOCK_ROWS * 16, 0], ids=["all", "one block", "none"])
def test_a_csv_is_kept_and_read_from_any_block_on(tmp_path, temporary, memory_bytes):
    path = write(tmp_path / "table", gzip.compress(TEXT.encode(), 1))
    seen = []
    kept = held(open_stream(path, features=("x",), target="y"), memory_bytes, seen.append)
    path.unlink()
    assert [block.start for block in seen] == [0, BLOCK_ROWS, 2 * BLOCK_ROWS]
    assert (kept.rows, kept.feature_names, kept.target_name) == (ROWS, ("x",), "y")
    assert kept.notes == (f"132 of {ROWS} rows have no value in a used column and are left out",)
    for start in (0, BLOCK_ROWS, 2 * BLOCK_ROWS):
        found = np.concatenate([block.values for block in kept.blocks(start)])
        assert bits(found) == bits(NUMBERS[start:])
    assert list(temporary.iterdir()) == []
    assert bool(temporary_files(temporary)) == (memory_bytes < 10**9)


def test_a_change_of_a_block_does_not_change_what_is_kept(tmp_path):
    kept = held(open_stream(write(tmp_path / "table", "x,y\n1,2\n3,4\n"), features=("x",), target="y"), 10**6)
    for _ in range(2):
        [block] = kept.blocks()
        assert block.values.tolist() == [[1.0, 2.0], [3.0, 4.0]]
        block.values[:] = 0


def test_parquet_is_kept_only_if_it_fits(tmp_path):
    table = pa.table({"x": [1.0, 2.0], "y": [3.0, 4.0]})
    stream = open_stream(write(tmp_path / "table", table), features=("x",), target="y")
    assert held(stream, 31) is stream
    kept = held(stream, 32)
    (tmp_path / "table").unlink()
    assert [block.values.tolist() for block in kept.blocks()] == [[[1.0, 3.0], [2.0, 4.0]]]


def test_a_full_disk_says_what_to_do(tmp_path, monkeypatch):
    path = write(tmp_path / "table", "x,y\n1,2\n3,4\n")
    (tmp_path / "full").symlink_to("/dev/full")
    monkeypatch.setattr(tempfile, "mkstemp", lambda prefix: (os.open("/dev/full", os.O_RDWR), str(tmp_path / "full")))
    with pytest.raises(
        DataError,
        match=r"a temporary copy cannot be written to .*: No space left on device; set TMPDIR to a folder "
        "with room, use a larger --memory, or convert the table to Parquet",
    ):
        held(open_stream(path, features=("x",), target="y"), 0)
