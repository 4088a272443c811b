"""Predict a table part by part, each in any process: the units of `linreg predict --engine ray`."""

import hashlib
import socket
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import pyarrow as pa

from export.bundle.table_model import TableModel, check_with_vectors, open_table_model
from linreg.engines.choice import Run
from linreg.errors import MismatchError
from linreg.predictions import predicted_batches
from linreg.problem import UNIT_BLOCKS, Unit, ranges_of
from linreg.reading.blocks import BLOCK_ROWS
from linreg.reading.noticed import Noticed
from linreg.reading.stream import TableStream
from linreg.writing.part_list import PartFile
from linreg.writing.parts import PART_ROWS, write_part

assert PART_ROWS == UNIT_BLOCKS * BLOCK_ROWS, "a unit is a part"


@dataclass(frozen=True, kw_only=True)
class ModelFile:
    """What a worker needs to open the model.

    Attributes:
        path: what `open_table_model` takes.
        columns: what `open_table_model` takes.
        sha256: SHA-256 of the file that it opens.
    """

    path: Path
    columns: tuple[str, ...] | None
    sha256: str


@dataclass(frozen=True, kw_only=True)
class PartTask:
    """What every unit has in common.

    Attributes:
        stream: the table.
        model: the model.
        schema: columns of the parts.
        with_features: as for `linreg.predictions.predicted_batches`.
    """

    stream: TableStream
    model: ModelFile
    schema: pa.Schema
    with_features: bool


@dataclass(frozen=True, kw_only=True)
class WrittenPart:
    """A part that a worker has written, how many predictions it has, and what was noticed in its rows."""

    part: PartFile
    predictions: int
    noticed: Noticed


def model_file(path: Path, columns: tuple[str, ...] | None, opened: TableModel) -> ModelFile:
    """Describe a model that was opened here, for workers."""
    return ModelFile(path=path, columns=columns, sha256=_sha256(opened.path))


def predict_units(run: Run, task: PartTask, stage: Path, count: Callable[[WrittenPart], None]) -> Iterator[PartFile]:
    """Let an engine write all parts into a staging folder, and yield them in order.

    Args:
        run: the engine.
        task: what to predict.
        stage: the staging folder.
        count: called with each part.
    """
    assert task.stream.rows is not None, "only Parquet is read by other processes"
    for written in run(predict_unit, ranges_of(task.stream.rows), task, stage, workers=1):
        task.stream.noticed.add(written.noticed)
        count(written)
        yield written.part


def predict_unit(unit: Unit, task: PartTask, stage: Path) -> WrittenPart:
    """Write one part, in a worker process, whose first one checks the model.

    Raises:
        MismatchError: the model is not that of the command, or fails the test vectors of its bundle.
        DataError: as for `predicted_batches`.
    """
    model = _checked(task.model).model
    batches = predicted_batches(
        task.stream, model, task.schema, with_features=task.with_features, start=unit.start, stop=unit.stop
    )
    counted = _Counted(batches)
    part = write_part(stage, unit.start // (UNIT_BLOCKS * BLOCK_ROWS), counted)
    noticed = task.stream.noticed.within(unit.start, unit.stop)
    return WrittenPart(part=part, predictions=counted.predictions, noticed=noticed)


class _Counted:
    """Counts predictions on their way."""

    predictions = 0

    def __init__(self, batches: Iterable[pa.RecordBatch]) -> None:
        self._batches = batches

    def __iter__(self) -> Iterator[pa.RecordBatch]:
        for batch in self._batches:
            self.predictions += batch.num_rows - batch.column(batch.num_columns - 1).null_count
            yield batch


@lru_cache(maxsize=1)
def _checked(model: ModelFile) -> TableModel:
    opened = open_table_model(model.path, model.columns)
    if _sha256(opened.path) != model.sha256:
        raise MismatchError(
            f"{opened.path}: differs on {socket.gethostname()} from the file of the command; "
            "give every node the same files"
        )
    check_with_vectors(opened)
    return opened


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
