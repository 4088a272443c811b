"""Transactions on a bundle: changes are staged, then applied together or not at all.

Files are staged in `.linreg-staged` inside the bundle. `commit` writes a journal there that lists every change, then
applies the journal. A command that is killed before the journal is written has changed nothing; if it is killed later,
the next command finishes the work (`recover`).
"""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

from linreg.errors import MismatchError, ModelError
from linreg.files import Contents, sha256, write_atomic, write_new, writing
from linreg.inside import file_inside, hashed_inside, read_inside
from linreg.journal import JOURNAL_FILE, LIMIT_BYTES, STAGE_FOLDER, apply, check_name, read_journal, remove_stage
from linreg.json_files import json_bytes
from linreg.lock import locked, wait_until_free
from linreg.manifest import FileEntry, hashed_entry

COMMIT_LIMIT_S = 10.0
"""How long a reader waits for a command that may be renaming files."""

Read = TypeVar("Read")


class Changes:
    """The changes that one command makes in one folder while it holds the lock; see `changing`."""

    def __init__(self, folder: Path) -> None:
        """Start without any changes.

        Args:
            folder: the bundle.
        """
        self.folder = folder
        self._stage = folder / STAGE_FOLDER
        self._written: dict[str, tuple[str, str]] = {}
        self._removed: dict[str, str] = {}
        self._spared: dict[str, str] = {}
        self._count = 0

    @property
    def written(self) -> tuple[str, ...]:
        """Names of the files staged so far."""
        return tuple(self._written)

    def stage(self, name: str, data: Contents) -> Path:
        """Stage a file that `commit` will rename to `name`. Returns its temporary path.

        Raises:
            ModelError: `name` exists but is a link or not a regular file.
            LinregError: the file cannot be written.
        """
        check_name(name)
        file_inside(self.folder, name)
        with writing(self.folder / name):
            self._stage.mkdir(exist_ok=True)
        self._count += 1
        file = str(self._count)
        _, digest = write_new(self._stage / file, data, target=self.folder / name)
        self._written[name] = (file, digest)
        if name in self._removed:
            self._spared[name] = self._removed.pop(name)
        return self._stage / file

    def staging_folder(self) -> Path:
        """Return the folder of staged files, created if needed, for other processes to write into.

        Raises:
            LinregError: it cannot be created.
        """
        with writing(self._stage):
            self._stage.mkdir(exist_ok=True)
        return self._stage

    def adopt(self, name: str, number: int, digest: str) -> None:
        """Stage a file that another process has written into the staging folder; `commit` checks its bytes.

        Args:
            name: what `commit` will rename it to.
            number: its name there.
            digest: its SHA-256.

        Raises:
            ModelError: `name` exists but is a link or not a regular file.
        """
        check_name(name)
        file_inside(self.folder, name)
        self._count = max(self._count, number)
        self._written[name] = (str(number), digest)

    def sha256(self, name: str) -> str:
        """Return the SHA-256 of a staged file, as it was written."""
        return self._written[name][1]

    def staged_bytes(self, name: str) -> bytes:
        """Read a staged file back from disk, and check that it holds what was written.

        Raises:
            LinregError: the file cannot be read.
            ModelError: its contents differ.
        """
        file, digest = self._written[name]
        data = read_inside(self._stage, file, limit=LIMIT_BYTES)
        if sha256(data) != digest:
            raise ModelError(f"{self._stage / file}: differs from what was written; check the disk, and run it again")
        return data

    def staged_entry(self, name: str, proof: dict[str, Any] | None = None) -> FileEntry:
        """Make the manifest's entry of a staged file, after checking that the disk holds what was written.

        Raises:
            LinregError: the file cannot be read.
            ModelError: its contents differ, or a manifest cannot list a file of this name.
        """
        path, digest = self.checked_path(name)
        return hashed_entry(name, path.stat().st_size, digest, proof)

    def checked_path(self, name: str) -> tuple[Path, str]:
        """Return the path of a staged file and its SHA-256, after checking that the disk holds what was written.

        Raises:
            LinregError: the file cannot be read.
            ModelError: its contents differ.
        """
        file, digest = self._written[name]
        if hashed_inside(self._stage, file, limit=LIMIT_BYTES)[1] != digest:
            raise ModelError(f"{self._stage / file}: differs from what was written; check the disk, and run it again")
        return self._stage / file, digest

    def removes(self, name: str) -> bool:
        """Return whether an existing file is marked for removal."""
        return name in self._removed

    def drop(self, name: str) -> None:
        """Discard a staged file.

        If staging it cancelled the removal of an existing file of that name, that file is marked for removal again.
        """
        file, _ = self._written.pop(name)
        if name in self._spared:
            self._removed[name] = self._spared.pop(name)
        with writing(self.folder / name):
            (self._stage / file).unlink()

    def keep(self) -> None:
        """Cancel all removals."""
        self._removed, self._spared = {}, {}

    def remove(self, name: str) -> None:
        """Mark an existing file for removal, unless the commit will replace it.

        Raises:
            ModelError: the file is a link or not a regular file.
        """
        check_name(name)
        if name not in self._written and file_inside(self.folder, name):
            _, self._removed[name] = hashed_inside(self.folder, name, limit=LIMIT_BYTES)

    def commit(self) -> None:
        """Apply the changes, the manifest last.

        Raises:
            LinregError: a file cannot be written; if the journal was written, the next command finishes the work.
        """
        if not self._written and not self._removed:
            return
        journal = {
            "schema_version": 1,
            "write": {name: {"file": file, "sha256": digest} for name, (file, digest) in self._written.items()},
            "remove": self._removed,
        }
        write_atomic(self._stage / JOURNAL_FILE, json_bytes(journal))
        apply(self.folder, journal)
        self._written, self._removed = {}, {}


@contextmanager
def changing(
    folder: Path, *, command: str, wait: bool = False, on_wait: Callable[[str], None] | None = None
) -> Iterator[Changes]:
    """Lock a folder, finish the changes that an interrupted command left, and collect new changes.

    Changes that are not committed are discarded at the end.

    Args:
        folder: a bundle; created if needed, and removed again if nothing is committed.
        command: name that other commands show while this one holds the lock.
        wait: wait for another command to finish instead of raising an error.
        on_wait: called once with the name of that command.

    Raises:
        LinregError: another command holds the lock, or the folder is not writable.
        ModelError: the journal of an interrupted command is damaged.
    """
    with locked(folder, command=command, wait=wait, on_wait=on_wait):
        recover(folder)
        try:
            yield Changes(folder)
        finally:
            recover(folder)


def interrupted(folder: Path) -> bool:
    """Return whether a command was interrupted while applying its changes."""
    return os.path.lexists(folder / STAGE_FOLDER / JOURNAL_FILE)


def settle(folder: Path) -> None:
    """Finish the changes of an interrupted command in a bundle that is about to be read.

    Raises:
        LinregError: the folder is not writable.
    """
    if folder.is_dir() and interrupted(folder):
        with locked(folder, command="linreg, finishing an interrupted command,", wait=True):
            recover(folder)


def read_settled(folder: Path, read: Callable[[], Read]) -> Read:
    """Read a bundle; if its files contradict each other, wait for the command that is writing there, and retry once.

    Args:
        folder: the bundle.
        read: function that reads it.

    Raises:
        LinregError: whatever `read` raises, but MismatchError only if the files still contradict each other.
    """
    settle(folder)
    try:
        return read()
    except MismatchError:
        wait_until_free(folder, limit_s=COMMIT_LIMIT_S)
        settle(folder)
        return read()


def recover(folder: Path) -> None:
    """Apply the changes of a journal, or discard files that were staged without one. The caller must hold the lock.

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
        apply(folder, read_journal(folder))
    else:
        remove_stage(stage)
