"""A table as a stream of blocks: of files, however large, or of a table in memory."""

from collections.abc import Iterator
from dataclasses import replace
from itertools import takewhile
from pathlib import Path
from threading import Lock

import numpy as np
import pyarrow as pa

from linreg.errors import DataError
from linreg.reading.arrow_columns import ArrowStream
from linreg.reading.blocks import BLOCK_ROWS, Block, Piece, aligned
from linreg.reading.choice import NO_VALUES, Choice, LeftOut, check_named, choose_named, no_rows
from linreg.reading.column_names import listed, tidy
from linreg.reading.every_column import choose_all
from linreg.reading.noticed import Noticed
from linreg.reading.numbers import numbers_of
from linreg.reading.opening import sources_of
from linreg.reading.options import AS_USUAL, ReadOptions
from linreg.reading.parquet_source import ParquetSource
from linreg.reading.passing import common_kind, with_schema
from linreg.reading.sources import Source, check_unchanged, first_with_rows

EXACT_INTEGERS = 2.0**53
_COUNTING = Lock()


def open_stream(
    place: Path | str | ArrowStream,
    *,
    features: tuple[str, ...] | None,
    target: str | None,
    how: ReadOptions = AS_USUAL,
    passing: tuple[str, ...] | None = (),
) -> "TableStream":
    """Find the columns of a table, and read no more of it than that takes.

    Args:
        place: a file, or a table in memory that exports an Arrow stream.
        features: column names in the wanted order; None uses every numeric column except the target and
            the row index of pandas.
        target: column name; None if only features are needed. A feature may then have no value in any row.
        how: how the cells are written.
        passing: names of columns to pass through; None passes all of them.

    Raises:
        DataError: it is not a table, or a column is missing, named twice, or cannot hold numbers.
    """
    target = None if target is None else tidy(target)
    features = None if features is None else tuple(tidy(name) for name in features)
    wanted = () if features is None else features if target is None else (*features, target)
    origin, sources = sources_of(place, how, wanted)
    first = sources[0]
    if features is None:
        choice = choose_all(first_with_rows(sources), target, how)
    else:
        choice = choose_named(first, features, target, how)
    if features is None and (len(sources) > 1 or not first.repeatable):
        empty = (column.name for column in choice.left_out if column.reason == NO_VALUES)
        choice = replace(choice, watched=(*choice.watched, *empty))
    if passing is None:
        passed = tuple(range(len(first.names)))
    else:
        names = [tidy(name) for name in passing]
        check_named(first, names)
        passed = tuple(first.names.index(name) for name in names)
    stream = TableStream(origin=origin, sources=sources, choice=choice, how=how, passed=passed)
    if stream.rows == 0 and target is not None:
        raise no_rows(origin)
    return stream


class TableStream:
    """The used columns of a table, block by block; picklable if it reads files.

    Attributes:
        origin: what messages call it: its path, or its type.
        feature_names: names of the features, in the order of the columns of a block.
        target_name: None if no target was requested.
        left_out: the columns that are not used, and why.
        how: how the cells are written.
        passed_schema: the columns that are passed through, under the first file's own names.
        noticed: what was noticed in the blocks so far.
        read_bytes: how many bytes of the files were read so far, approximately, in all passes together.
    """

    def __init__(
        self, *, origin: str, sources: list[Source], choice: Choice, how: ReadOptions, passed: tuple[int, ...]
    ) -> None:
        self.origin = origin
        self.feature_names = choice.features
        self.target_name = choice.target
        self.left_out: tuple[LeftOut, ...] = choice.left_out
        self._sources = sources
        self._choice = choice
        self.how = how
        self._passed = passed
        self.passed_schema = pa.schema(
            [(sources[0].own_names[at], common_kind([source.kind(at) for source in sources])) for at in passed]
        )
        self.noticed = Noticed()
        self.read_bytes = 0

    @property
    def used_names(self) -> tuple[str, ...]:
        """The names of the columns of a block: the features, then the target."""
        return self._choice.used

    @property
    def width(self) -> int:
        """Number of columns of a block."""
        return len(self._choice.used)

    @property
    def rows(self) -> int | None:
        """Number of rows; of a CSV, None until one pass has reached its end."""
        return self._known_start(len(self._sources))

    @property
    def size_bytes(self) -> int | None:
        """Bytes of all files; None if they are unknown."""
        sizes = [source.size_bytes for source in self._sources]
        return sum(size or 0 for size in sizes) if None not in sizes else None

    @property
    def files(self) -> tuple[Path, ...]:
        """The files of this machine that it reads."""
        places = [source.read_from for source in self._sources]
        return tuple(place.file for place in places if place is not None and place.file is not None)

    @property
    def seekable(self) -> bool:
        """Whether `blocks` can begin anywhere without reading what stands before."""
        return all(source.seekable for source in self._sources)

    def reading_start(self, row: int) -> int:
        """Return the row from which the table is read to reach a row; all lengths are known."""
        at = 0
        for source in self._sources:
            rows = source.rows or 0
            if row < at + rows:
                return at + source.reading_start(row - at)
            at += rows
        return at

    @property
    def repeatable(self) -> bool:
        """Whether `blocks` can be called more than once."""
        return all(source.repeatable for source in self._sources)

    @property
    def is_parquet(self) -> bool:
        """Whether every file is Parquet, so that other processes can open the table again and begin anywhere."""
        return all(isinstance(source, ParquetSource) and source.in_a_file for source in self._sources)

    @property
    def notes(self) -> tuple[str, ...]:
        """What the user should know, one line each; complete once every block was read."""
        dropped = self.noticed.incomplete_rows
        notes = []
        if dropped:
            total = self.rows if self.rows is not None else "the"
            notes.append(f"{dropped} of {total} rows have no value in a used column and are left out")
        if self._choice.texts:
            notes.append(
                f"read as numbers although their type is text: {listed(self._choice.texts)}; "
                "to leave one out, name the features"
            )
        peaks = self.noticed.peaks
        rounded = [name for name, peak in zip(self._choice.used, peaks, strict=False) if peak >= EXACT_INTEGERS]
        if rounded:
            subject = f"column {rounded[0]!r} has" if len(rounded) == 1 else f"columns {listed(rounded)} have"
            notes.append(f"{subject} values of 2^53 or more, where float64 rounds whole numbers")
        return tuple(notes)

    def blocks(self, start: int = 0, stop: int | None = None) -> Iterator[Block]:
        """Read the table, or some rows of it.

        Args:
            start: first row, a multiple of `BLOCK_ROWS`.
            stop: row to stop before, a multiple of `BLOCK_ROWS`; None reads to the end.

        Raises:
            DataError: a file is damaged or has changed, or a used cell is not a finite number.
        """
        assert start % BLOCK_ROWS == 0 == (stop or 0) % BLOCK_ROWS
        if stop is not None and stop <= start:
            return
        for block in aligned(self._pieces(start), len(self._choice.used), start=start, stop=stop):
            self.noticed.count(block)
            yield block
        check_unchanged(self._sources, start, stop)
        if stop is None:
            self.check_whole()

    def of_numbers(self, source: Source) -> "TableStream":
        """Return the stream of the same numbers from another place, with what is known about them.

        Args:
            source: the columns of this stream's blocks, under their names.
        """
        choice = replace(self._choice, watched=())
        other = TableStream(origin=self.origin, sources=[source], choice=choice, how=self.how, passed=())
        other.noticed = self.noticed
        return other

    def _pieces(self, start: int) -> Iterator[Piece]:
        starts = (self._known_start(place) for place in range(len(self._sources)))
        known = [at for at in takewhile(lambda at: at is not None, starts) if at is not None and at <= start]
        first, at = len(known) - 1, known[-1]
        names = (*self._choice.used, *self._choice.watched)
        for place in range(first, len(self._sources)):
            source = self._sources[place]
            rows = 0
            place_of = {name: at for at, name in reversed(list(enumerate(source.names)))}
            where = [place_of[name] for name in names]
            for batch in source.batches(where, passing=self._passed, start=max(start - at, 0)):
                rows = batch.first_row + batch.rows
                with _COUNTING:
                    self.read_bytes += batch.read_bytes
                yield Piece(
                    start=at + batch.first_row,
                    columns=numbers_of(source.origin, batch, names, self._choice, self.how),
                    passed=with_schema(batch.passed, self.passed_schema, source.origin),
                    read_bytes=batch.read_bytes,
                )
            at += source.rows if source.rows is not None else rows

    def _known_start(self, place: int) -> int | None:
        """Return the row with which a file begins, if the lengths of those before it are known."""
        total = 0
        for source in self._sources[:place]:
            if source.rows is None:
                return None
            total += source.rows
        return total

    def check_whole(self) -> None:
        """Check, after a whole pass to fit a model, that there are rows and that every column has a value."""
        if self.target_name is None:
            return
        if not self.noticed.blocks:
            raise no_rows(self.origin)
        if self.rows is not None and self.noticed.blocks == -(-self.rows // BLOCK_ROWS):
            for name, peak in zip(self._choice.used, self.noticed.peaks, strict=True):
                if np.isnan(peak):
                    raise DataError(f"{self.origin}: column {name!r}: {NO_VALUES}")
