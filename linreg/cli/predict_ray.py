"""`linreg predict --engine ray`: a folder of Parquet files, each written by a worker of a Ray cluster."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from linreg.cli.table_progress import TableProgress
from linreg.cli.terminal import note, say_waiting, stages
from linreg.config import Engine

if TYPE_CHECKING:
    from export.bundle.part_prediction import PartTask
    from linreg.writing.part_list import PartFile


def predict_on_ray(task: "PartTask", folder: Path, *, address: str | None, workers: int | None, force: bool) -> None:
    """Write the parts, with the bytes that one process would write, and say how many.

    Raises:
        DataError: the table is not in Parquet files, or cannot be read.
        ModuleNotFoundError: ray is not installed.
        LinregError: there is no such cluster, or the folder has other contents.
    """
    from export.bundle.part_prediction import WrittenPart, predict_units
    from linreg.engines.choice import check_parquet_files, running
    from linreg.writing.parts import collect_parts

    check_parquet_files(task.stream, task.stream.origin)
    rows = predictions = 0

    def count(one: WrittenPart) -> None:
        nonlocal rows, predictions
        rows, predictions = rows + one.part.rows, predictions + one.predictions
        progress("predictions", rows, task.stream.rows)

    def written(stage: Path) -> Iterator["PartFile"]:
        with running(Engine.RAY, address, workers) as run:
            progress("rows", 0, task.stream.rows)  # tasks may wait for a free CPU
            yield from predict_units(run, task, stage, count)

    with stages() as bar:
        progress = TableProgress(bar, task.stream)
        parts, new = collect_parts(folder, written, force=force, on_wait=say_waiting)
    for text in task.stream.notes:
        note(f"note: {text.replace('are left out', 'get no prediction')}")
    shown = f"in {parts} part{'s' if parts > 1 else ''}: {folder}/{'' if new else ' (already up to date)'}"
    note(f"{predictions} predictions {shown}")
