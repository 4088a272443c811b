"""Write a table as a folder of Parquet files, each named by its place, and a manifest that lists them.

The parts are staged inside the folder and renamed once all of them are written, the manifest last: a folder with a
manifest is complete. A command that was interrupted leaves a staging folder at most, which the next one removes.
"""

import itertools
import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from uuid import uuid4

import pyarrow as pa

from linreg.changes import Changes, changing, settle
from linreg.errors import LinregError
from linreg.file_comparison import holds
from linreg.files import write_new, writing
from linreg.inside import hashed_inside
from linreg.journal import LIMIT_BYTES, PART_NAME, PARTS_MANIFEST, STAGE_FOLDER
from linreg.lock import LOCK_FILE
from linreg.writing.contents import is_marked, parquet_contents
from linreg.writing.part_list import WRITTEN_BY, PartFile, list_bytes, listed_parts, part_name

PART_ROWS = 2**20
"""Rows of a part; no batch reaches from one part into the next."""


def check_folder(folder: Path, *, force: bool) -> tuple[PartFile, ...]:
    """Check that parts may be written into a folder, after finishing what an interrupted command left there.

    Args:
        folder: the folder, which need not exist.
        force: write beside files that are not ours, and in place of parts whose manifest is lost.

    Returns:
        The parts that the folder holds.

    Raises:
        LinregError: the folder holds a file that linreg did not write, or a part that has changed since.
    """
    if not os.path.lexists(folder):
        return ()
    if not folder.is_dir():
        raise LinregError(f"{folder}: is a file, expected a folder; choose another with -o")
    settle(folder)
    parts = listed_parts(folder)
    ours = {LOCK_FILE, STAGE_FOLDER, PARTS_MANIFEST, *(part.name for part in parts)}
    unlisted = _unlisted(folder, parts)
    for name in unlisted:
        problem = f"{folder / name}: is not in {PARTS_MANIFEST}, and would be read as a part"
        if not is_marked(folder / name):
            raise LinregError(f"{problem}; --force does not replace it: move it away, or choose another folder with -o")
        if not force:
            raise LinregError(f"{problem}; use --force to replace it, or choose another folder with -o")
    foreign = sorted(entry.name for entry in folder.iterdir() if entry.name not in ours.union(unlisted))
    if foreign and not force:
        raise LinregError(
            f"{folder}: holds {foreign[0]}, which linreg predict did not write; choose another folder with -o, "
            "or add --force to write beside it"
        )
    return parts


def write_parts(
    folder: Path, batches: Iterable[pa.RecordBatch], *, force: bool, on_wait: Callable[[str], None] | None = None
) -> tuple[int, bool]:
    """Write batches as parts.

    Args:
        folder: the folder; created if needed.
        batches: at least one batch, which may be empty.
        force: replace the parts that the folder holds, and write beside files that are not ours, which stay.
        on_wait: called once if another command is writing there, with its name.

    Returns:
        The number of parts, and whether they were written: without `force`, a folder that holds them stays as it is.

    Raises:
        LinregError: the folder holds other parts or files, or cannot be written.
    """
    with changing(folder, command=WRITTEN_BY, wait=True, on_wait=on_wait) as changes:
        old = check_folder(folder, force=force)
        if old and not force:
            return _compare(folder, batches, old), False
        for part in old:
            _check_ours(folder, part)
        new = _stage(changes, batches)
        _commit(changes, old, new)
    return len(new), True


def write_part(stage: Path, place: int, batches: Iterable[pa.RecordBatch]) -> PartFile:
    """Write one part into the staging folder, in a process of its own; it gets its name there once it is whole.

    Args:
        stage: the staging folder.
        place: place of the part, counted from 0.
        batches: its batches, at least one.

    Raises:
        LinregError: it cannot be written.
    """
    section = _Section(place, iter(batches))
    unfinished = stage / f"{_number(place)}.{uuid4().hex}"
    try:
        _, digest = write_new(unfinished, parquet_contents(section), target=stage.parent / section.name)
        with writing(unfinished):
            unfinished.replace(stage / str(_number(place)))
    except BaseException:
        with suppress(OSError):
            unfinished.unlink(missing_ok=True)
        raise
    return PartFile(name=section.name, rows=section.rows, sha256=digest)


def collect_parts(
    folder: Path,
    written: Callable[[Path], Iterable[PartFile]],
    *,
    force: bool,
    on_wait: Callable[[str], None] | None = None,
) -> tuple[int, bool]:
    """Put parts that other processes write into a folder, in place of `write_parts`.

    Args:
        folder: as for `write_parts`.
        written: given the staging folder, yields the parts in order, each written there by `write_part`.
        force: as for `write_parts`.
        on_wait: as for `write_parts`.

    Returns:
        What `write_parts` returns.

    Raises:
        LinregError: as for `write_parts`.
    """
    with changing(folder, command=WRITTEN_BY, wait=True, on_wait=on_wait) as changes:
        old = check_folder(folder, force=force)
        for part in old:
            _check_ours(folder, part)
        new = []
        for place, part in enumerate(written(changes.staging_folder().absolute())):
            if old and not force and part not in old:
                raise _differs(folder)
            changes.adopt(part.name, _number(place), part.sha256)
            new.append(part)
        if old and not force:
            if tuple(new) != old or not all((folder / part.name).is_file() for part in old):
                raise _differs(folder)
            return len(new), False
        _commit(changes, old, new)
    return len(new), True


def _number(place: int) -> int:
    """Return the name of a staged part, a number as the journal takes it."""
    return place + 1


class _Section:
    """The batches of one part, which can be taken once.

    Attributes:
        name: name of the part.
        rows: number of rows taken so far.
    """

    def __init__(self, place: int, batches: Iterator[pa.RecordBatch]) -> None:
        self.name = part_name(place)
        self.rows = 0
        self._batches = batches

    def __iter__(self) -> Iterator[pa.RecordBatch]:
        for batch in self._batches:
            self.rows += batch.num_rows
            yield batch


def _sections(batches: Iterable[pa.RecordBatch]) -> Iterator[_Section]:
    """Cut batches into parts; each has to be taken before the next is asked for."""
    rest = iter(batches)
    for place in itertools.count():
        if (first := next(rest, None)) is None:
            return
        yield _Section(place, _of_part(first, rest))


def _of_part(first: pa.RecordBatch, rest: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    yield first
    rows = first.num_rows
    while rows < PART_ROWS and (batch := next(rest, None)) is not None:
        rows += batch.num_rows
        yield batch


def _unlisted(folder: Path, parts: tuple[PartFile, ...]) -> list[str]:
    """Return the names of the parts in a folder that its manifest does not list."""
    listed = {part.name for part in parts}
    there = (entry.name for entry in folder.iterdir() if PART_NAME.fullmatch(entry.name))
    return sorted(name for name in there if name not in listed)


def _commit(changes: Changes, old: tuple[PartFile, ...], new: list[PartFile]) -> None:
    there = {*(part.name for part in old), *_unlisted(changes.folder, old)}
    for name in there - {part.name for part in new}:
        changes.remove(name)
    changes.stage(PARTS_MANIFEST, list_bytes(new))
    changes.commit()


def _differs(folder: Path) -> LinregError:
    return LinregError(f"{folder}: already holds other predictions; use --force to replace them, or another -o")


def _stage(changes: Changes, batches: Iterable[pa.RecordBatch]) -> list[PartFile]:
    parts = []
    for section in _sections(batches):
        changes.stage(section.name, parquet_contents(section))
        parts.append(PartFile(name=section.name, rows=section.rows, sha256=changes.sha256(section.name)))
    return parts


def _compare(folder: Path, batches: Iterable[pa.RecordBatch], old: tuple[PartFile, ...]) -> int:
    """Return the number of parts if a folder holds exactly these batches; the first difference ends the comparison."""
    there = {part.name: part for part in old}
    seen = []
    for section in _sections(batches):
        path = folder / section.name
        if section.name not in there or not path.is_file() or not holds(path, parquet_contents(section)):
            break
        seen.append(PartFile(name=section.name, rows=section.rows, sha256=there[section.name].sha256))
    if tuple(seen) != old:
        raise _differs(folder)
    return len(seen)


def _check_ours(folder: Path, part: PartFile) -> None:
    if (folder / part.name).exists() and hashed_inside(folder, part.name, limit=LIMIT_BYTES)[1] != part.sha256:
        raise LinregError(
            f"{folder / part.name}: has changed since linreg predict wrote it; move it away, or choose another -o"
        )
