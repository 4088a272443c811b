"""`linreg predict` shows how much of a long table is done, and predicts the same as block by block by hand."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from linreg.cli import predict
from tests.conftest import PENGUINS

NAMES = "bill_length_mm,bill_depth_mm,flipper_length_mm"


@pytest.fixture
def shown(monkeypatch):
    """What the progress bar was told."""
    told: list[object] = []

    @contextmanager
    def stages() -> Iterator[Callable[..., None]]:
        yield lambda *step, counts: told.append((*step, counts))

    monkeypatch.setattr(predict, "stages", stages)
    monkeypatch.setattr(predict, "SHORT_ROWS", 100_000)
    return told


@pytest.mark.parametrize("file", ["", "model.onnx"])
def test_a_long_table_shows_its_rows(linreg, penguins, shown, tmp_path, file):
    (tmp_path / "long.csv").write_text(f"{NAMES}\n" + "39.1,18.7,181\n40.3,18,195\n" * 100_000)
    (tmp_path / "short.csv").write_text(f"{NAMES}\n39.1,18.7,181\n40.3,18,195\n")
    long = linreg("predict", "long.csv", "-m", penguins / file)
    size = (tmp_path / "long.csv").stat().st_size
    read = size - len(f"{NAMES}\n")  # it is one chunk
    assert shown == [
        ("predictions", read, size, "131,072 rows, 2.6/2.6 MB"),
        ("predictions", read, size, "196,608 rows, 2.6/2.6 MB"),
        ("predictions", 200_000, 200_000, "200,000/200,000 rows, 2.6/2.6 MB"),
    ]
    del shown[:]
    short = linreg("predict", "short.csv", "-m", penguins / file)
    assert shown == []
    header, *rows = short.out.splitlines()
    assert long.out.splitlines() == [header, *rows * 100_000]


def test_a_long_table_shows_nothing_where_stderr_is_no_terminal(linreg, penguins, monkeypatch):
    monkeypatch.setattr(predict, "SHORT_ROWS", 100)
    assert linreg("predict", PENGUINS, "-m", penguins).err == (
        "note: 2 of 344 rows have no value in a used column and get no prediction\n"
    )
