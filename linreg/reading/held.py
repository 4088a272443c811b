"""Keep the blocks of a table for several passes: in memory while they fit, otherwise in a temporary file."""

import os
import tempfile
import weakref
from collections.abc import Callable, Iterator, Sequence

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from linreg.errors import DataError
from linreg.reading.blocks import BLOCK_ROWS, Block
from linreg.reading.sources import Batch
from linreg.reading.stream import TableStream


def held(
    stream: TableStream,
    memory_bytes: int,
    progress: Callable[[Block], None] = lambda _block: None,
    *,
    any_order: bool = False,
) -> TableStream:
    """Return a stream of the same blocks that can be read often, and from any block on.

    Args:
        stream: the table. Columns to pass through are not kept.
        memory_bytes: up to this size the blocks are kept in memory. Beyond it, Parquet is read again in every pass, and
            the numbers of a CSV or a pipe go to a temporary file.
        progress: called with each block that was read.
        any_order: whether single blocks are read in any order. Parquet then goes to the temporary file, too, since a
            block of it may be read only from the start of its row group.

    Raises:
        DataError: as by `stream.blocks`, or the temporary file cannot be written.
    """
    large = stream.rows is not None and stream.rows * stream.width * 8 > memory_bytes
    if stream.seekable and large and not any_order:
        return stream
    store = _Store(stream, memory_bytes)
    for block in stream.blocks():
        store.add(block.values)
        progress(block)
    return stream.of_numbers(store.finished(stream.used_names))


class _Scratch:
    """A temporary file without a name, so that nothing of it is left however the process ends."""

    def __init__(self) -> None:
        self._descriptor, name = tempfile.mkstemp(prefix="linreg-")
        weakref.finalize(self, os.close, self._descriptor)
        os.unlink(name)  # noqa: PTH108, a name from tempfile

    def append(self, data: memoryview) -> None:
        while data:
            data = data[os.write(self._descriptor, data) :]

    def read_into(self, target: memoryview, at: int) -> bool:
        """Fill `target` from a place in the file; threads can share it. Return False if the file is too short."""
        while target:
            done = os.preadv(self._descriptor, [target], at)
            if not done:
                return False
            target, at = target[done:], at + done
        return True


class HeldSource:
    """The numbers of a table, kept; attributes as in `linreg.reading.sources.Source`."""

    row_index: frozenset[str] = frozenset()
    typed = True
    seekable = True
    repeatable = True
    read_from = None

    def __init__(
        self, origin: str, names: Sequence[str], rows: int, blocks: list[NDArray[np.float64]], file: _Scratch | None
    ) -> None:
        self.origin = origin
        self.names = list(names)
        self.own_names = self.names
        self.rows: int | None = rows
        self.size_bytes: int | None = rows * len(names) * 8
        self._blocks = blocks
        self._file = file

    def kind(self, _place: int) -> pa.DataType:
        """Return the type of the numbers."""
        return pa.float64()

    def reading_start(self, row: int) -> int:
        """Return the row itself."""
        return row

    def batches(self, places: Sequence[int], *, passing: Sequence[int] = (), start: int = 0) -> Iterator[Batch]:
        """Yield one block after another, beginning with that of row `start`."""
        assert not passing
        rows = self.rows or 0
        for first in range(start - start % BLOCK_ROWS, rows, BLOCK_ROWS):
            count = min(BLOCK_ROWS, rows - first)
            values = self._block(first // BLOCK_ROWS, count)
            columns = [values[:, place] for place in places]
            yield Batch(first_row=first, rows=count, columns=columns, passed=None, read_bytes=values.nbytes)

    def _block(self, place: int, rows: int) -> NDArray[np.float64]:
        if self._file is None:
            return self._blocks[place]
        values = np.empty((rows, len(self.names)), order="F")
        if not self._file.read_into(_bytes_of(values), place * BLOCK_ROWS * len(self.names) * 8):
            raise DataError(f"{self.origin}: its temporary copy was cut; run the command again")
        return values


class _Store:
    """Blocks on their way into memory or a file."""

    def __init__(self, stream: TableStream, memory_bytes: int) -> None:
        self._origin = stream.origin
        self._most = memory_bytes
        self._width = stream.width
        larger = "use a larger --memory"
        self._hint = f"or {larger}" if stream.seekable else f"{larger}, or convert the table to Parquet"
        self._rows = 0
        self._blocks: list[NDArray[np.float64]] = []
        self._file: _Scratch | None = None

    def add(self, values: NDArray[np.float64]) -> None:
        self._rows += len(values)
        if self._file is None:
            self._blocks.append(values)
            if self._rows * self._width * 8 <= self._most:
                return
        waiting, self._blocks = self._blocks or [values], []
        try:
            if self._file is None:
                self._file = _Scratch()
            for block in waiting:
                self._file.append(_bytes_of(block))
        except OSError as error:
            raise DataError(
                f"{self._origin}: a temporary copy cannot be written to {tempfile.gettempdir()}: "
                f"{error.strerror or error}; set TMPDIR to a folder with room, {self._hint}"
            ) from None

    def finished(self, names: Sequence[str]) -> HeldSource:
        return HeldSource(self._origin, names, self._rows, self._blocks, self._file)


def _bytes_of(values: NDArray[np.float64]) -> memoryview:
    """Return the memory of values whose columns are contiguous."""
    return values.T.reshape(-1).view(np.uint8).data
