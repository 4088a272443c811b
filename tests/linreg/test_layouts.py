"""The same values give the same files of a model, whatever files hold them, however much is kept, by any workers."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet
import pytest

import linreg
from linreg import problem as problems
from linreg.engines.threads import run
from linreg.reading.blocks import BLOCK_ROWS
from linreg.reading.csv_source import CsvSource
from linreg.reading.parquet_source import ParquetSource
from linreg.reading.stream import open_stream
from linreg.survey import survey_of

NAMES = ("a", "b", "c", "y")
ROWS = 3 * BLOCK_ROWS + 1000
FEW = 1000


def table(rows: int) -> pa.Table:
    generator = np.random.default_rng(rows)
    features = generator.normal(size=(rows, 3)) * [1, 1e3, 1e-3] + [0, 2000, 0]
    target = features @ [1, 0.01, 300] + generator.normal(size=rows)
    columns = [pa.array(column) for column in (*features.T, target)]
    missing = generator.random(rows) < 0.01
    columns[1] = pa.array(features[:, 1], mask=missing)
    return pa.table(columns, names=NAMES)


def one_file(group: int) -> Callable[[Path, pa.Table], Path]:
    def write(folder: Path, values: pa.Table) -> Path:
        pyarrow.parquet.write_table(values, folder / "table.parquet", row_group_size=group)
        return folder / "table.parquet"

    return write


def folder_of_three(folder: Path, values: pa.Table) -> Path:
    (folder / "parts").mkdir()
    cuts = [0, len(values) - 1, len(values) - 1, len(values)]
    for name, start, stop in zip("abc", cuts[:-1], cuts[1:], strict=True):
        pyarrow.parquet.write_table(
            values.slice(start, stop - start), folder / "parts" / f"{name}.parquet", row_group_size=70_000
        )
    return folder / "parts"


def folder_in_thirds(folder: Path, values: pa.Table) -> Path:
    (folder / "parts").mkdir()
    third = len(values) // 3
    for name, start, stop in (("a", 0, third), ("b", third, 2 * third), ("c", 2 * third, len(values))):
        pyarrow.parquet.write_table(values.slice(start, stop - start), folder / "parts" / f"{name}.parquet")
    return folder / "parts"


def csv(folder: Path, values: pa.Table) -> Path:
    rows = zip(*(column.to_pylist() for column in values.columns), strict=True)
    lines = (",".join("" if value is None else repr(value) for value in row) for row in rows)
    (folder / "table.csv").write_text("\n".join([",".join(NAMES), *lines]) + "\n")
    return folder / "table.csv"


def shuffled_columns(folder: Path, values: pa.Table) -> Path:
    return one_file(50_000)(folder, values.select(["c", "y", "a", "b"]))


LAYOUTS: dict[str, Callable[[Path, pa.Table], Path]] = {
    "one row group": one_file(ROWS),
    "row groups that cross blocks": one_file(50_001),
    "a folder with parts of 0 and 1 row": folder_of_three,
    "a folder with parts in thirds": folder_in_thirds,
    "columns in another order": shuffled_columns,
    "CSV": csv,
}


def fitted(path: Path, **options: Any) -> dict[str, bytes]:
    return linreg.fit(path, target="y", features=["a", "b", "c"], dtype="float64", **options).files


@pytest.fixture(scope="module")
def wanted(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    return fitted(one_file(65_000)(tmp_path_factory.mktemp("table"), table(ROWS)), memory="1GB", workers=1)


@pytest.mark.parametrize("layout", LAYOUTS)
def test_neither_layout_nor_memory_nor_workers_change_a_byte(
    layout: str, wanted: dict[str, bytes], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = LAYOUTS[layout](tmp_path, table(ROWS))
    for memory, workers, unit in [("1MB", 1, 16), ("1MB", 2, 1), ("1MB", 4, 2), ("1GB", 4, 1)]:
        monkeypatch.setattr(problems, "UNIT_BLOCKS", unit)
        assert fitted(path, memory=memory, workers=workers) == wanted


@pytest.mark.parametrize("memory", ["1kB", "1GB"])
def test_row_groups_of_3_rows(memory: str, tmp_path: Path) -> None:
    path = one_file(3)(tmp_path, table(FEW))
    assert pyarrow.parquet.ParquetFile(path).num_row_groups == 334
    got = fitted(path, memory=memory, workers=2)
    assert got == fitted(one_file(FEW)(tmp_path, table(FEW)), memory=memory, workers=1)
    assert got == fitted(csv(tmp_path, table(FEW)), memory=memory, workers=1)


def test_another_value_or_another_order_of_rows_changes_the_card(wanted: dict[str, bytes], tmp_path: Path) -> None:
    values = table(ROWS)
    other = values.set_column(0, "a", pa.array(np.append(values["a"].to_numpy()[:-1], 0.5)))
    for changed in (other, values.take(np.arange(ROWS)[::-1])):
        assert fitted(one_file(ROWS)(tmp_path, changed)) != wanted


def test_the_model_is_that_of_numpy(wanted: dict[str, bytes], tmp_path: Path) -> None:
    path = one_file(50_000)(tmp_path, table(ROWS))
    model = linreg.fit(path, target="y", dtype="float64", split=1, memory="1MB", workers=4)
    complete = table(ROWS).drop_null()
    matrix = np.column_stack([*(complete[name].to_numpy() for name in "abc"), np.ones(len(complete))])
    expected = np.linalg.lstsq(matrix, complete["y"].to_numpy(), rcond=None)[0]
    got = [coefficient.value for coefficient in model.coefficients]
    np.testing.assert_allclose(got, expected, rtol=1e-8)
    assert wanted["model.pth"] != model.files["model.pth"]


# How often rows are read
@pytest.mark.parametrize(
    ("layout", "units"),
    [
        (one_file(ROWS), None),
        (one_file(2 * BLOCK_ROWS), None),
        (one_file(BLOCK_ROWS), 4),
        (one_file(1000), 4),
        (folder_in_thirds, None),
        (csv, None),
    ],
    ids=["one group", "long groups", "a group for each unit", "short groups", "parts that end within units", "CSV"],
)
def test_workers_read_no_row_group_again_and_again(
    layout: Callable[[Path, pa.Table], Path], units: int | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(problems, "UNIT_BLOCKS", 1)
    read: list[int] = []
    for kind in (ParquetSource, CsvSource):
        right = kind.batches

        def counted(self: Any, *places: Any, right: Any = right, **options: Any) -> Iterator[Any]:
            for batch in right(self, *places, **options):
                read.append(batch.rows)
                yield batch

        monkeypatch.setattr(kind, "batches", counted)
    stream = open_stream(layout(tmp_path, table(ROWS)), features=("a", "b", "c"), target="y")
    found = problems.units_of(stream)
    assert (None if found is None else len(found)) == units
    surveys = []
    for workers in (1, 4):
        read.clear()
        surveys.append(survey_of(problems.Problem(stream=stream, workers=workers)))
        assert ROWS <= sum(read) <= 1.2 * ROWS
    assert surveys[0].digests == surveys[1].digests
    assert surveys[0].products.tobytes() == surveys[1].products.tobytes()


def test_blocks_are_not_read_far_ahead_of_the_workers(monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[int] = []

    def blocks() -> Iterator[int]:
        for place in range(100):
            read.append(place)
            yield place

    for done, result in enumerate(run(abs, blocks(), workers=3), 1):
        assert result == done - 1
        assert len(read) <= done + 2 * 3
