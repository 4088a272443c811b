"""Passes over long tables tell their stage and rows."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet
import pytest

import linreg
from linreg import problem as problems
from linreg.block_split import BlockSplit
from linreg.engines.threads import run
from linreg.problem import Problem
from linreg.reading.arrays_stream import ArraysStream
from linreg.reading.blocks import BLOCK_ROWS
from linreg.reading.stream import open_stream
from linreg.survey import survey_of

ROWS = 3 * BLOCK_ROWS + 10
Step = tuple[str, int, int | None]


def problem(told: list[Step], workers: int) -> Problem:
    features = np.random.default_rng(1).normal(size=(ROWS, 2))
    stream = ArraysStream(features=features, target=features[:, 0], feature_names=("a", "b"))
    return Problem(stream=stream, workers=workers, progress=lambda *step: told.append(step))


@pytest.mark.parametrize("workers", [1, 4])
def test_a_pass_tells_every_block_or_unit(workers: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(problems, "SHORT_ROWS", ROWS - 1)
    monkeypatch.setattr(problems, "UNIT_BLOCKS", 2)
    told: list[Step] = []
    survey_of(problem(told, workers))
    done = [1, 2, 3] if workers == 1 else [2]
    assert told == [*(("products", count * BLOCK_ROWS, ROWS) for count in done), ("products", ROWS, ROWS)]


def test_a_pass_of_other_processes_tells_every_unit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(problems, "SHORT_ROWS", ROWS - 1)
    monkeypatch.setattr(problems, "UNIT_BLOCKS", 2)
    pyarrow.parquet.write_table(pa.table({"x": np.arange(ROWS) % 7, "y": np.arange(ROWS) % 5}), tmp_path / "t.parquet")
    told: list[Step] = []
    stream = open_stream(tmp_path / "t.parquet", features=("x",), target="y")

    def engine(function: Any, units: Any, *arguments: Any, workers: int) -> Iterator[Any]:
        return run(function, units, *arguments, workers=workers)

    survey_of(Problem(stream=stream, engine=engine, progress=lambda *step: told.append(step)))
    assert told == [("products", done, ROWS) for done in (0, 2 * BLOCK_ROWS, ROWS)]


def test_a_short_table_tells_nothing_and_nobody_need_be_told(monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[Step] = []
    survey_of(problem(told, 1))
    assert told == []
    monkeypatch.setattr(problems, "SHORT_ROWS", 0)
    silent = survey_of(replace(problem(told, 1), progress=None, split=BlockSplit()))
    assert silent.rows == ROWS
    assert told == []


@pytest.mark.parametrize("memory", ["1MB", "1GB"])
def test_a_fit_of_a_csv_tells_reading_and_its_passes(
    memory: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(problems, "SHORT_ROWS", BLOCK_ROWS)
    path = tmp_path / "table.csv"
    path.write_text("x,y\n" + "".join(f"{row % 1000},{row % 999}\n" for row in range(ROWS)))
    told: list[Step] = []
    model = linreg.fit(path, target="y", memory=memory, workers=1, progress=lambda *step: told.append(step))
    stages = list(dict.fromkeys(stage for stage, _, _ in told))
    assert stages == ["reading", "products", "refinement", "metrics"]
    assert [done for stage, done, _ in told if stage == "reading"] == [2 * BLOCK_ROWS, 3 * BLOCK_ROWS, ROWS]
    assert [step for step in told if step[0] == "metrics"][-1] == ("metrics", ROWS, ROWS)
    assert isinstance(model.fitted_to, Problem)
    assert model.fitted_to.progress is None
