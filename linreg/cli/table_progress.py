"""Show how many rows and bytes of a table are done."""

from typing import TYPE_CHECKING

from linreg.config import TRAINING

if TYPE_CHECKING:
    from linreg.cli.terminal import Stages
    from linreg.reading.stream import TableStream


class TableProgress:
    """Shows the rows and bytes of each pass over a table; called as `linreg.problem.Progress`."""

    def __init__(self, progress: "Stages", table: "TableStream | None" = None) -> None:
        self._progress = progress
        self._table = table

    def opened(self, table: "TableStream") -> None:
        """Show the bytes of a table from now on."""
        self._table = table

    def __call__(self, stage: str, done: int, total: int | None) -> None:
        """Show that `done` of `total` rows are done, or epochs of a training."""
        table = self._table
        if table is None or stage == TRAINING:
            self._progress(stage, done, total)
            return
        size = table.size_bytes
        if total is None:
            read = table.read_bytes
            counts = f"{done:,} rows, {_megabytes(read, size)}"
            self._progress(stage, done if size is None else min(read, size), size, counts=counts)
            return
        counts = f"{done:,}/{total:,} rows"
        if size is not None:
            counts += f", {_megabytes(size * done // total, size)}"
        self._progress(stage, done, total, counts=counts)


def _megabytes(read: int, size: int | None) -> str:
    return f"{read / 1e6:,.1f} MB" if size is None else f"{min(read, size) / 1e6:,.1f}/{size / 1e6:,.1f} MB"
