"""What a progress bar says of the rows and bytes of a table."""

import gzip
import io
import sys
from types import SimpleNamespace

import numpy as np
import pytest

from linreg.cli.table_progress import TableProgress
from linreg.reading.stream import open_stream

HEADER = b"x,y\n"
LINES = b"".join(b"%.15f,%.15f\n" % tuple(row) for row in np.random.default_rng(0).uniform(1, 9, (2_000, 2)))
ROWS = 100 * 2_000
TEXT = HEADER + LINES * 100


def shown(table, rows=None):
    """Return what is shown after each block of a table."""
    told = []
    stream = open_stream(table, features=("x",), target="y")
    progress = TableProgress(lambda *step, **counts: told.append((*step, *counts.values())), stream)
    for block in stream.blocks():
        progress("reading", block.start + len(block.values), rows)
    return told


@pytest.mark.parametrize("pack", [bytes, gzip.compress], ids=["plain", "gzip"])
def test_the_bytes_of_a_csv_are_those_of_its_file(tmp_path, pack):
    path = tmp_path / "t.csv"
    path.write_bytes(pack(TEXT))
    size = path.stat().st_size
    told = shown(path)
    bytes_done = [done for _, done, _, _ in told]
    assert bytes_done == sorted(bytes_done)
    assert size - len(HEADER) <= bytes_done[-1] <= size
    assert len(set(bytes_done)) > 1, "more than one chunk"
    assert {total for _, _, total, _ in told} == {size}
    assert told[-1][3] == f"200,000 rows, {size / 1e6:.1f}/{size / 1e6:.1f} MB"


def test_the_bytes_of_a_pipe_have_no_total(monkeypatch):
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=io.BytesIO(TEXT), isatty=lambda: False))
    told = shown("-")
    assert told[-1] == ("reading", ROWS, None, "200,000 rows, 7.2 MB")


def test_epochs_are_no_rows(tmp_path):
    told = []
    (tmp_path / "t.csv").write_bytes(b"x,y\n1,2\n")
    progress = TableProgress(lambda *step, **counts: told.append((*step, counts)))
    progress("reading", 1, 3)
    progress.opened(open_stream(tmp_path / "t.csv", features=("x",), target="y"))
    progress("training", 1, 3)
    assert told == [("reading", 1, 3, {}), ("training", 1, 3, {})]
