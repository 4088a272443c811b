"""`linreg predict` shows how many rows of a long table are done, and predicts the same as in one step."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from linreg.cli import predict
from tests.conftest import PENGUINS


@pytest.mark.parametrize("file", ["", "model.onnx"])
def test_a_long_table_is_predicted_step_by_step(linreg, penguins, monkeypatch, file):
    shown: list[object] = []

    @contextmanager
    def stages() -> Iterator[Callable[[str, int, int], None]]:
        yield lambda *step: shown.append(step)

    monkeypatch.setattr(predict, "stages", stages)
    at_once = linreg("predict", PENGUINS, "-m", penguins / file)
    assert shown == []
    monkeypatch.setattr(predict, "ROWS_PER_STEP", 100)
    in_steps = linreg("predict", PENGUINS, "-m", penguins / file)
    assert shown == [("rows", 100, 342), ("rows", 200, 342), ("rows", 300, 342), ("rows", 342, 342)]
    assert in_steps == at_once


def test_a_long_table_shows_nothing_where_stderr_is_no_terminal(linreg, penguins, monkeypatch):
    monkeypatch.setattr(predict, "ROWS_PER_STEP", 100)
    assert linreg("predict", PENGUINS, "-m", penguins).err == (
        "note: 2 of 344 rows have no value in a used column and get no prediction\n"
    )
