"""What a command changes in a bundle: staged beside it, then applied in one sequence, or not at all.

Files are written to `.linreg-staged` inside the bundle. `commit` writes a journal there that names every change, then
applies it. A command that is killed before the journal is there has changed nothing; one that is killed after it has
decided everything, and the next command finishes the work (`recover`). The journal may come with a downloaded bundle:
it can name only known files of the bundle, puts there only bytes with the sha256 that it names, and removes only those.
"""

import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, TypeVar

from linreg.config import MAX_JSON_BYTES
from linreg.errors import LinregError, MismatchError, ModelError
from linreg.files import json_bytes, parse_json, sha256, sync_folder, write_atomic, write_new, writing
from linreg.inside import file_inside, make_parent, read_inside
from linreg.lock import locked, wait_until_free
from linreg.manifest import CHECKSUM_FILE, MANIFEST_FILE, is_bundle_file, is_sha256

STAGE_FOLDER = ".linreg-staged"
JOURNAL_FILE = "journal.json"
REPORT_FILES = frozenset({"bench.json", "report.html", "predictions.png", "residuals.png", "loss_curves.png"})
"""What commands leave in a bundle about it, beside the files that its manifest lists."""

LIMIT_BYTES = 4 * 2**30

COMMIT_LIMIT_S = 10.0
"""How long a reader waits for a command that may be renaming its files."""

Read = TypeVar("Read")


class Changes:
    """The changes of one command in one folder, under its lock: see `changing`."""

    def __init__(self, folder: Path) -> None:
        """Args: the bundle."""
        self.folder = folder
        self._stage = folder / STAGE_FOLDER
        self._written: dict[str, tuple[str, str]] = {}
        self._removed: dict[str, str] = {}
        self._spared: dict[str, str] = {}
        self._count = 0

    @property
    def written(self) -> tuple[str, ...]:
        """The names of the files staged so far."""
        return tuple(self._written)

    def stage(self, name: str, data: bytes) -> Path:
        """Write a file that will stand at `name`; returns where it stands until then.

        Raises:
            ModelError: what stands at `name` is a link or no regular file.
            LinregError: it cannot be written.
        """
        _check_name(name)
        file_inside(self.folder, name)
        with writing(self.folder / name):
            self._stage.mkdir(exist_ok=True)
        self._count += 1
        file = str(self._count)
        write_new(self._stage / file, data)
        self._written[name] = (file, sha256(data))
        if name in self._removed:
            self._spared[name] = self._removed.pop(name)
        return self._stage / file

    def staged_bytes(self, name: str) -> bytes:
        """The bytes of a staged file, read from the disk and compared with what was written.

        Raises:
            LinregError: they cannot be read.
            ModelError: they are others.
        """
        file, digest = self._written[name]
        data = read_inside(self._stage, file, limit=LIMIT_BYTES)
        if sha256(data) != digest:
            raise ModelError(
                f"{self._stage / file}: has other bytes than were written; check the disk, and run it again"
            )
        return data

    def removes(self, name: str) -> bool:
        """Whether a file that is there now will be gone."""
        return name in self._removed

    def drop(self, name: str) -> None:
        """Take a staged file back; what was to be removed at its name is removed again."""
        file, _ = self._written.pop(name)
        if name in self._spared:
            self._removed[name] = self._spared.pop(name)
        with writing(self.folder / name):
            (self._stage / file).unlink()

    def keep(self) -> None:
        """Remove nothing after all."""
        self._removed, self._spared = {}, {}

    def remove(self, name: str) -> None:
        """Remove a file that is there now; another that takes its place meanwhile stays.

        Raises:
            ModelError: it is a link or no regular file.
        """
        _check_name(name)
        if name not in self._written and file_inside(self.folder, name):
            self._removed[name] = sha256(read_inside(self.folder, name, limit=LIMIT_BYTES))

    def commit(self) -> None:
        """Apply the changes; the manifest gets its place last.

        Raises:
            LinregError: a file cannot be written; where the journal is written already, the next command goes on.
        """
        if not self._written and not self._removed:
            return
        journal = {
            "schema_version": 1,
            "write": {name: {"file": file, "sha256": digest} for name, (file, digest) in self._written.items()},
            "remove": self._removed,
        }
        write_atomic(self._stage / JOURNAL_FILE, json_bytes(journal))
        _apply(self.folder, journal)
        self._written, self._removed = {}, {}


@contextmanager
def changing(
    folder: Path, *, command: str, wait: bool = False, on_wait: Callable[[str], None] | None = None
) -> Iterator[Changes]:
    """Lock a folder, finish what an interrupted command left there, and collect changes.

    What is not committed at the end is thrown away.

    Args:
        folder: a bundle; it is made where it is missing, and removed again where nothing is committed.
        command: the name that another command shows while this one holds the lock.
        wait: wait for another command to end, instead of raising an error.
        on_wait: called once with the name of that command.

    Raises:
        LinregError: another command holds the lock, or the folder cannot be written.
        ModelError: the changes that an interrupted command left are damaged.
    """
    with locked(folder, command=command, wait=wait, on_wait=on_wait):
        recover(folder)
        try:
            yield Changes(folder)
        finally:
            recover(folder)


def interrupted(folder: Path) -> bool:
    """Whether a command was interrupted while it applied its changes."""
    return os.path.lexists(folder / STAGE_FOLDER / JOURNAL_FILE)


def settle(folder: Path) -> None:
    """Finish what an interrupted command left in a bundle that is about to be read.

    Raises:
        LinregError: the folder cannot be written.
    """
    if folder.is_dir() and interrupted(folder):
        with locked(folder, command="linreg, finishing an interrupted command,", wait=True):
            recover(folder)


def read_settled(folder: Path, read: Callable[[], Read]) -> Read:
    """Read a bundle; where its files contradict each other, wait for a command that writes there, and read once more.

    Args:
        folder: the bundle.
        read: reads it.

    Raises:
        LinregError: what `read` raises; MismatchError only if the files still contradict each other.
    """
    settle(folder)
    try:
        return read()
    except MismatchError:
        wait_until_free(folder, limit_s=COMMIT_LIMIT_S)
        settle(folder)
        return read()


def recover(folder: Path) -> None:
    """Apply the changes of a journal, or throw away what was staged without one. Needs the lock.

    Raises:
        LinregError: a file cannot be written.
        ModelError: the journal is damaged.
    """
    stage = folder / STAGE_FOLDER
    if stage.is_symlink():
        raise ModelError(f"{stage}: is a symbolic link; remove it")
    if not stage.exists():
        return
    if not stage.is_dir():
        raise ModelError(f"{stage}: is a file, expected a folder; remove it")
    if interrupted(folder):
        _apply(folder, _journal(folder))
    else:
        _remove_stage(stage)


def _journal(folder: Path) -> dict[str, Any]:
    """The journal of an interrupted command; a bundle from elsewhere may have brought it.

    Raises:
        ModelError: it is a link, no regular file, or no JSON.
    """
    stage = folder / STAGE_FOLDER
    try:
        data = read_inside(folder, f"{STAGE_FOLDER}/{JOURNAL_FILE}", limit=MAX_JSON_BYTES)
        return parse_json(stage / JOURNAL_FILE, data)
    except LinregError as error:
        raise ModelError(f"{error}; {_discard(stage)}") from None


def _discard(stage: Path) -> str:
    return f"remove {stage}, and run it again"


def _apply(folder: Path, journal: dict[str, Any]) -> None:
    """Do what a journal says; what is done already is left as it is."""
    stage = folder / STAGE_FOLDER
    writes, removes = _checked(stage, journal)
    last = [name for name in (CHECKSUM_FILE, MANIFEST_FILE) if name in writes]
    for name in (name for name in writes if name not in last):
        _put(folder, name, stage, *writes[name])
    for name, digest in removes.items():
        if file_inside(folder, name) and sha256(read_inside(folder, name, limit=LIMIT_BYTES)) == digest:
            with writing(folder / name):
                (folder / name).unlink()
    for name in last:
        _put(folder, name, stage, *writes[name])
    for parent in {Path(name).parent for name in (*writes, *removes)} - {Path()}:
        with suppress(OSError):  # it still holds files, or is gone
            (folder / parent).rmdir()
    for parent in {folder / Path(name).parent for name in writes}:
        sync_folder(parent)
    with writing(stage):
        (stage / JOURNAL_FILE).unlink()
    _remove_stage(stage)


def _put(folder: Path, name: str, stage: Path, file: str, digest: str) -> None:
    """Give a staged file its name."""
    if not file_inside(stage, file):
        if file_inside(folder, name) and sha256(read_inside(folder, name, limit=LIMIT_BYTES)) == digest:
            return  # it has it already
        raise ModelError(f"{folder / name}: the staged file of an interrupted command is gone; {_discard(stage)}")
    if sha256(read_inside(stage, file, limit=LIMIT_BYTES)) != digest:
        raise ModelError(f"{stage / file}: has other bytes than its journal says; {_discard(stage)}")
    make_parent(folder, name)
    file_inside(folder, name)  # neither a link nor a folder
    with writing(folder / name):
        if (folder / name).exists():
            (stage / file).chmod((folder / name).stat().st_mode & 0o777)
        (stage / file).replace(folder / name)


def _checked(stage: Path, journal: dict[str, Any]) -> tuple[dict[str, tuple[str, str]], dict[str, str]]:
    """The writes and removals of a journal.

    Raises:
        ModelError: it is damaged, or names what is no file of a bundle.
    """
    try:
        writes = {name: (entry["file"], entry["sha256"]) for name, entry in journal["write"].items()}
        removes = dict(journal["remove"])
        names, digests = [*writes, *removes], [*(digest for _, digest in writes.values()), *removes.values()]
        for name in names:
            _check_name(name)
        if not all(is_sha256(digest) for digest in digests) or not all(file.isdecimal() for file, _ in writes.values()):
            raise ValueError
    except (LinregError, ValueError, KeyError, TypeError, AttributeError):
        raise ModelError(
            f"{stage / JOURNAL_FILE}: is no journal of an interrupted command; {_discard(stage)}"
        ) from None
    return writes, removes


def _check_name(name: str) -> None:
    if not (is_bundle_file(name) or name in REPORT_FILES or name in (MANIFEST_FILE, CHECKSUM_FILE)):
        raise LinregError(f"{name!r} is no file of a bundle; expected a plain name such as model.pth")


def _remove_stage(stage: Path) -> None:
    with writing(stage):
        shutil.rmtree(stage)
