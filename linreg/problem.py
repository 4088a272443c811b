"""A least-squares problem over the blocks of a table, and how each pass over it is made.

A pass is a function of a module, `function(unit, problem, ...)`. It returns one small result for a range of blocks, and
`Problem.passed` reduces these results in a fixed tree over all blocks. So no byte depends on the number of workers, on
the ranges, or on the files that hold the table. A row that is not used becomes a row of zeros, which changes no sum.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from linreg.block_split import EVERY_ROW, BlockSplit
from linreg.config import SHORT_ROWS
from linreg.engines.threads import run
from linreg.reading.blocks import BLOCK_ROWS, Block
from linreg.reading.noticed import Noticed
from linreg.reading.stream import TableStream
from linreg.tree import reduced

Array = NDArray[np.float64]
Result = TypeVar("Result")
Progress = Callable[[str, int, int | None], None]
"""Called as progress(stage, rows done, rows), the last None if it is not known."""

UNIT_BLOCKS = 16
"""Blocks of a unit, a power of two. With 2^20 rows, a unit is what most writers of Parquet make a row group."""
MAX_WASTED_FRACTION = 0.2
"""The rows that workers may read only to reach their own, as a fraction of the table."""
WIDEST_PARALLEL = 100
"""With more columns, BLAS itself uses several threads, which must not multiply with the workers."""

PART_NAMES = {1: ("train",), 2: ("train", "test"), 3: ("train", "validation", "test")}
"""The names of the parts of a split, by the number of its fractions."""


class TableBlocks(Protocol):
    """A table that is read in blocks, and can be read again."""

    @property
    def origin(self) -> str:
        """What messages call the table."""

    @property
    def target_name(self) -> str | None:
        """The name of the target."""

    @property
    def feature_names(self) -> tuple[str, ...]:
        """The names of the features, in the order of their columns."""

    @property
    def rows(self) -> int | None:
        """The number of rows; None if they have not been counted."""

    @property
    def seekable(self) -> bool:
        """Whether `blocks` can begin anywhere without reading what stands before."""

    def reading_start(self, row: int, /) -> int:
        """Return the row from which the table is read to reach a row; `rows` is known."""

    def blocks(self, start: int = 0, stop: int | None = None) -> Iterator[Block]:
        """Yield the blocks of a range of rows; `start` and `stop` are multiples of `BLOCK_ROWS`."""


@dataclass(frozen=True, kw_only=True)
class Unit:
    """A range of rows; `start` is a multiple of a unit's rows, and without a `stop` it reaches to the end.

    Attributes:
        block: the rows, if they were read already: one block.
    """

    start: int = 0
    stop: int | None = None
    block: Block | None = None


@dataclass(frozen=True, kw_only=True)
class Problem:
    """Find x with the least |y - A x|, where A has the features and perhaps a column of ones.

    Attributes:
        stream: blocks of the features, with the target last.
        intercept: whether A has a column of ones.
        split: the rows of part 0 are used.
        workers: threads of each pass.
        engine: where the units of a pass are run: `linreg.engines.threads.run`, or another of the same signature. Other
            processes open the table again, so it must be a `TableStream` of files.
        progress: told in the caller's thread how far a pass over a long table is; None tells nobody.
        on_rows: told how many rows were read, in a pass that runs in the caller's thread.
    """

    stream: TableBlocks
    intercept: bool = True
    split: BlockSplit = EVERY_ROW
    workers: int = 1
    engine: Callable[..., Iterator[Any]] = run
    progress: Progress | None = None
    on_rows: Callable[[int], None] | None = None

    @property
    def features(self) -> int:
        """The number of features."""
        return len(self.stream.feature_names)

    @property
    def columns(self) -> int:
        """The number of columns of A."""
        return self.features + self.intercept

    def passed(
        self, function: Callable[..., Result], *arguments: Any, combine: Callable[[Result, Result], Result], stage: str
    ) -> Result:
        """Run a function on each unit of the table, and reduce the results.

        Args:
            function: called as function(unit, problem, *arguments).
            arguments: the same for every unit.
            combine: reduces two results.
            stage: name of the pass, for `progress`.
        """
        if self.engine is not run:
            return reduced(self._elsewhere(function, arguments, stage), combine)
        workers = self.workers if self.columns <= WIDEST_PARALLEL else 1
        counted = RowCount(progress=self.progress, stage=stage, rows=self.stream.rows)
        here, there = replace(self, progress=None, on_rows=counted), replace(self, progress=None)
        if workers == 1:
            results = run(function, [Unit()], here, *arguments, workers=1)
        elif (units := units_of(self.stream)) is None:
            results = run(function, (_read(block) for block in here.blocks(Unit())), there, *arguments, workers=workers)
        else:
            results = counted.units(run(function, units, there, *arguments, workers=workers), units)
        return reduced(results, combine)

    def blocks(self, unit: Unit) -> Iterator[Block]:
        """Yield the blocks of a unit."""
        if unit.block is not None:
            yield unit.block
            return
        for block in self.stream.blocks(unit.start, unit.stop):
            yield block
            if self.on_rows is not None:
                self.on_rows(block.start + len(block.values))

    def _elsewhere(self, function: Callable[..., Result], arguments: tuple[Any, ...], stage: str) -> Iterator[Result]:
        """Run a function in other processes, and add what they notice in their rows to the notes of the table."""
        assert isinstance(self.stream, TableStream)
        assert self.stream.rows is not None, "only Parquet is read by other processes"
        there, units = replace(self, engine=run, progress=None), ranges_of(self.stream.rows)
        counted = RowCount(progress=self.progress, stage=stage, rows=self.stream.rows)
        counted(0)  # tasks may wait for a free CPU
        results = self.engine(_noticing, units, function, there, *arguments, workers=self.workers)
        for result, noticed in counted.units(results, units):
            self.stream.noticed.add(noticed)
            yield result

    def chunks(self, block: Block, rows: int) -> Iterator[Array]:
        """Yield [features, 1, target] of a block, transposed: shape (columns + 1, rows), the last one shorter.

        The buffer is used again for the next chunk.

        Args:
            block: one of the blocks of the table.
            rows: rows of a chunk.
        """
        values, count = block.values.T, self.features
        used = self._used(block)
        buffer = np.empty((self.columns + 1, min(rows, values.shape[1])))
        for start in range(0, values.shape[1], rows):
            part = values[:, start : start + rows]
            chunk = buffer[:, : part.shape[1]]
            chunk[:count], chunk[-1] = part[:count], part[-1]
            chunk[count:-1] = 1.0
            if used is not None and block.complete is None:
                chunk *= used[start : start + rows]  # faster than by index, but NaN would stay
            elif used is not None:
                chunk[:, ~used[start : start + rows]] = 0.0
            yield chunk

    def _used(self, block: Block) -> NDArray[np.bool_] | None:
        """Return which rows of a block are used; None if all are."""
        complete, parts = block.complete, self.split.part_of_row(block.start, len(block.values))
        if parts is None:
            return complete
        trains: NDArray[np.bool_] = parts == 0
        return trains if complete is None else complete & trains


def _noticing(unit: Unit, function: Callable[..., Result], problem: Problem, *arguments: Any) -> tuple[Result, Noticed]:
    result = function(unit, problem, *arguments)
    assert isinstance(problem.stream, TableStream)
    return result, problem.stream.noticed.within(unit.start, unit.stop)


@dataclass(frozen=True, kw_only=True)
class RowCount:
    """Tells how many rows of a long table are done.

    Attributes:
        progress: what to tell; None tells nobody.
        stage: name of the pass.
        rows: rows of the table; None if they have not been counted.
    """

    progress: Progress | None
    stage: str
    rows: int | None

    def __call__(self, done: int) -> None:
        """Tell how many rows are done."""
        if self.progress is not None and max(done, self.rows or 0) > SHORT_ROWS:
            self.progress(self.stage, done, self.rows)

    def units(self, results: Iterator[Result], units: Sequence[Unit]) -> Iterator[Result]:
        """Yield the results of units, and count those that are done."""
        assert self.rows is not None
        for unit, result in zip(units, results, strict=True):
            yield result
            self(self.rows if unit.stop is None else min(unit.stop, self.rows))


def units_of(stream: TableBlocks) -> list[Unit] | None:
    """Return the units of a table whose workers read it; None if it is better read once, in one thread.

    That is so if a unit can only be reached through many rows before it: a CSV, or Parquet whose row groups are long.
    """
    if stream.rows is None or not stream.seekable:
        return None
    units = ranges_of(stream.rows)
    wasted = sum(unit.start - stream.reading_start(unit.start) for unit in units)
    return None if wasted > MAX_WASTED_FRACTION * stream.rows or len(units) == 1 else units


def ranges_of(count: int) -> list[Unit]:
    """Return the units of so many rows, wherever they are read."""
    rows = UNIT_BLOCKS * BLOCK_ROWS
    return [Unit(start=start, stop=start + rows) for start in range(0, max(count, 1), rows)]


def _read(block: Block) -> Unit:
    return Unit(start=block.start, stop=block.start + BLOCK_ROWS, block=block)


def rows_of_part(problem: Problem, block: Block, part: int) -> Array:
    """Return the complete rows of a block that belong to a part of the split, shape (rows, columns)."""
    values = block.values
    complete, part_of_row = block.complete, problem.split.part_of_row(block.start, len(values))
    used = np.ones(len(values), np.bool_) if complete is None else complete
    return values[used if part_of_row is None else used & (part_of_row == part)]
