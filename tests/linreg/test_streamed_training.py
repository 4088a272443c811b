"""Gradient methods on tables above the memory limit: batches from blocks, the scaler and the refusals."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet
import pytest
import torch
from numpy.typing import NDArray
from torch import nn

import linreg
from linreg.batches import Pair, StreamedRows
from linreg.block_split import BlockSplit
from linreg.data import Part, fit_scaler
from linreg.errors import DataError
from linreg.problem import Problem
from linreg.reading.arrays_stream import ArraysStream
from linreg.reading.blocks import BLOCK_ROWS
from linreg.table_scaler import table_scaler

Array = NDArray[np.float64]

ROWS = 2 * BLOCK_ROWS + 1000
SPLIT = BlockSplit(fractions=(0.8, 0.2), seed=3)
FIT: dict[str, Any] = {"target": "y", "method": "adam", "lr": 0.05, "epochs": 2, "test_every": 1, "device": "cpu"}


def values(rows: int = ROWS) -> Array:
    generator = np.random.default_rng(rows)
    features = generator.normal(size=(rows, 2)) * [1, 1000] + [50, -3]
    return np.column_stack([features, features @ [2, 0.003] + 1 + generator.normal(size=rows)])


def problem_of(table: Array, split: BlockSplit = SPLIT, *, bias: bool = True, workers: int = 1) -> Problem:
    stream = ArraysStream(features=table[:, :-1], target=table[:, -1], feature_names=("a", "b"))
    return Problem(stream=stream, split=split, intercept=bias, workers=workers)


def train_rows(table: Array) -> Array:
    starts = range(0, len(table), BLOCK_ROWS)
    parts = [SPLIT.part_of_row(start, min(BLOCK_ROWS, len(table) - start)) for start in starts]
    return table[(np.concatenate(parts) == 0) & ~np.isnan(table).any(axis=1)]  # type: ignore[arg-type]


def write(folder: Path, table: Array, **options: Any) -> Path:
    path = folder / "table.parquet"
    columns = dict(zip(("a", "b", "y"), table.T, strict=True))
    pyarrow.parquet.write_table(pa.table(columns), path, **options)
    return path


# The scaler
@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("offset", [0.0, 1e9])
def test_the_scaler_of_blocks_is_that_of_arrays(bias: bool, offset: float) -> None:
    table = values()
    table[:, 0] += offset
    table[::100, 1] = np.nan
    train = train_rows(table)
    wanted = fit_scaler(Part(features=train[:, :-1], target=train[:, -1]), centre=bias)
    got = [table_scaler(problem_of(table, bias=bias, workers=workers)) for workers in (1, 3)]
    np.testing.assert_allclose(got[0].feature_mean, wanted.feature_mean, rtol=1e-13)
    np.testing.assert_allclose(got[0].feature_scale, wanted.feature_scale, rtol=1e-9)  # NumPy's mean has 14 digits
    assert got[0].target_mean == pytest.approx(wanted.target_mean, rel=1e-13)
    assert got[0].target_scale == pytest.approx(wanted.target_scale, rel=1e-11)
    assert got[0].feature_mean.tobytes() == got[1].feature_mean.tobytes()
    assert got[0].feature_scale.tobytes() == got[1].feature_scale.tobytes()


def test_a_constant_column_gets_an_infinite_scale() -> None:
    table = values()
    table[:, 1] = 0.1
    assert np.isinf(table_scaler(problem_of(table)).feature_scale).tolist() == [False, True]


def test_values_whose_squares_overflow_are_refused() -> None:
    table = values(1000)
    table[:, 0] *= 1e200
    with pytest.raises(DataError, match="their standard deviation overflows float64; rescale the columns"):
        table_scaler(problem_of(table, BlockSplit()))


# The batches
@pytest.fixture
def same() -> nn.Module:
    return nn.Linear(2, 1, dtype=torch.float64)


def epoch_of(rows: StreamedRows) -> list[Pair]:
    return list(rows.batches())


@pytest.mark.parametrize("size", [1000, BLOCK_ROWS, 90_000, 10**6])
def test_every_training_row_comes_once_an_epoch(size: int, same: nn.Module) -> None:
    table = values()
    table[5, 0] = np.nan
    problem = problem_of(table)
    rows = StreamedRows(problem, ROWS, table_scaler(problem), same, batch_size=size, seed=1)
    wanted = np.sort(train_rows(table)[:, -1])
    scaler = table_scaler(problem)
    orders = []
    for _ in range(2):
        pairs = epoch_of(rows)
        counts = [len(x) for x, _ in pairs]
        assert counts == [size] * (len(wanted) // size) + [len(wanted) % size] * (len(wanted) % size > 0)
        target = np.concatenate([y.numpy()[:, 0] for _, y in pairs]) * scaler.target_scale + scaler.target_mean
        np.testing.assert_allclose(np.sort(target), wanted, rtol=1e-9, atol=1e-9)
        orders.append(target.tolist())
    assert orders[0] != orders[1]


def test_the_order_permutes_blocks_and_the_rows_of_a_block(same: nn.Module) -> None:
    rows = 8 * BLOCK_ROWS
    table = np.column_stack([np.arange(rows), np.ones(rows), np.arange(rows)]).astype(np.float64)
    problem = problem_of(table, BlockSplit())
    scaler = table_scaler(problem)
    visited = []
    for seed in (1, 1, 2):
        stream = StreamedRows(problem, rows, scaler, same, batch_size=BLOCK_ROWS, seed=seed)
        places = [
            np.rint(y.numpy()[:, 0] * scaler.target_scale + scaler.target_mean).astype(int) for _, y in epoch_of(stream)
        ]
        blocks = [place // BLOCK_ROWS for place in places]
        assert all((block == block[0]).all() for block in blocks)
        assert all((np.diff(place) < 0).mean() > 0.4 for place in places)
        visited.append([int(block[0]) for block in blocks])
    assert visited[0] == visited[1] != visited[2]
    assert sorted(visited[0]) == list(range(8)) != visited[0]


def test_held_out_rows_are_those_of_the_second_part_in_their_order(same: nn.Module) -> None:
    table, problem = values(), problem_of(values())
    scaler = table_scaler(problem)
    rows = StreamedRows(problem, ROWS, scaler, same, batch_size=10, seed=1)
    starts = range(0, ROWS, BLOCK_ROWS)
    parts = np.concatenate([SPLIT.part_of_row(start, min(BLOCK_ROWS, ROWS - start)) for start in starts])  # type: ignore[arg-type]
    got = np.concatenate([y.numpy()[:, 0] for _, y in rows.held_out()])
    assert got.tolist() == ((table[parts == 1, -1] - scaler.target_mean) / scaler.target_scale).tolist()
    alone = StreamedRows(problem_of(table, BlockSplit()), ROWS, scaler, same, batch_size=10, seed=1)
    assert list(alone.held_out()) == []


# Fits
def test_a_table_above_the_limit_is_fitted_in_batches(tmp_path: Path) -> None:
    table = values()
    fit = linreg.fit(write(tmp_path, table), memory="1MB", batch_size=1024, **FIT)
    exact = linreg.fit(write(tmp_path, table), target="y")
    assert fit.metrics["test"]["rows"] == exact.metrics["test"]["rows"]
    assert fit.metrics["test"]["rmse"] == pytest.approx(exact.metrics["test"]["rmse"], rel=0.01)
    assert [row["epoch"] for row in fit.history] == [0, 1]
    # The loss is the squared error in units of the target's deviation.
    train = linreg.fit(write(tmp_path, table), memory="1GB", batch_size=1024, **FIT)
    for row, other in zip(fit.history, train.history, strict=True):
        assert row["test_loss"] == pytest.approx(other["test_loss"], rel=0.02)
    assert fit.card is not None
    assert train.card is not None
    assert fit.card.data == train.card.data


@pytest.mark.parametrize("source", ["arrays", "csv", "small groups", "one group"])
def test_neither_layout_nor_workers_change_a_byte(source: str, tmp_path: Path) -> None:
    table = values(BLOCK_ROWS + 500)
    if source == "csv":
        data: Any = tmp_path / "table.csv"
        rows = (f"{a!r},{b!r},{y!r}\n" for a, b, y in table.tolist())
        data.write_text("a,b,y\n" + "".join(rows))
    elif source == "arrays":
        data = (table[:, :-1], table[:, -1])
    else:
        data = write(tmp_path, table, row_group_size=997 if source == "small groups" else len(table))
    names = {"feature_names": ["a", "b"]} if source == "arrays" else {}
    wanted = linreg.fit(write(tmp_path, table), memory="1MB", batch_size=700, workers=1, **FIT)
    got = linreg.fit(data, memory="1MB", batch_size=700, workers=3, **names, **FIT)
    assert got.files == wanted.files


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            {},
            "method adam needs all 66,036 rows at a time, 1.6 MB, and memory is 1.0 MB; use batch_size=1024, "
            'method="exact", or a larger memory',
        ),
        (
            {"method": "lbfgs", "lr": None},
            'and memory is 1.0 MB; use method="adam" with batch_size=1024, method="exact", or a larger memory',
        ),
        (
            {"batch_size": 50_000},
            "method adam needs batches of 50,000 rows at a time, 1.2 MB, and memory is 1.0 MB; use",
        ),
        (
            {"batch_size": 1000, "memory": "1kB"},
            "needs batches of 1,000 rows at a time, 24.0 kB, and memory is 1.0 kB; use batch_size=41, ",
        ),
        ({"batch_size": 1, "memory": 23}, 'and memory is 23 B; use method="exact", or a larger memory'),
    ],
    ids=["no batch size", "lbfgs", "large batches", "batches below 1024", "no row fits"],
)
def test_what_does_not_fit_into_memory_is_refused(options: dict[str, Any], message: str, tmp_path: Path) -> None:
    path = write(tmp_path, values(BLOCK_ROWS + 500))
    with pytest.raises(DataError) as raised:
        linreg.fit(path, **({"memory": "1MB"} | FIT | options))
    assert message in str(raised.value)


def test_below_the_limit_rows_are_in_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> Iterator[Pair]:
        raise AssertionError

    monkeypatch.setattr(StreamedRows, "batches", fail)
    linreg.fit(write(tmp_path, values(500)), batch_size=100, **FIT)
    with pytest.raises(AssertionError):
        linreg.fit(write(tmp_path, values(500)), batch_size=100, memory=100 * 24, **FIT)


def test_the_best_parameters_are_kept_on_an_interruption(tmp_path: Path) -> None:
    def stop(stage: str, done: int, _total: int | None) -> None:
        if stage == "training" and done == 2:
            raise KeyboardInterrupt

    options = FIT | {"epochs": 50, "memory": "1kB", "batch_size": 32, "progress": stop}
    fit = linreg.fit(write(tmp_path, values(1000)), keep_on_interrupt=True, **options)
    assert fit.interrupted_at == 1
    with pytest.raises(KeyboardInterrupt):
        linreg.fit(write(tmp_path, values(1000)), **options)
