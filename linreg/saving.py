"""Save a fitted model as a bundle: check what may be overwritten, and remove files made from the old weights."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

from linreg.changes import Changes, changing
from linreg.config import CARD_FILE, MODEL_FILE
from linreg.errors import LinregError, MismatchError
from linreg.folders import ensure_folder
from linreg.manifest import (
    CHECKSUM_FILE,
    MANIFEST_FILE,
    Manifest,
    check_listed,
    check_overwrite,
    manifest_files,
    read_manifest,
)

OWN_FILES = (MODEL_FILE, CARD_FILE)
MOST_NAMED = 8


@contextmanager
def replacing(
    folder: Path,
    *,
    command: str,
    force: bool = False,
    wait: bool = False,
    on_wait: Callable[[str], None] | None = None,
) -> Iterator[Changes]:
    """Lock a bundle, and yield the changes that put a newly fitted model there.

    Enter this before training, so that errors come early.

    Args:
        folder: the bundle; it is created if it does not exist.
        command: the name that other commands show while this one holds the lock.
        force: remove artifacts of the old weights, and overwrite files that the manifest does not list.
        wait: wait for another command to end, instead of raising an error.
        on_wait: called once with the name of that command.

    Raises:
        LinregError: files would be lost and `force` is not set, another command holds the lock, or the folder
            cannot be written.
    """
    ensure_folder(folder)
    with changing(folder, command=command, wait=wait, on_wait=on_wait) as changes:
        manifest = read_manifest(folder)
        others = [entry for entry in manifest.files if entry.name not in OWN_FILES] if manifest else []
        if others and not force:
            shown = [entry.name for entry in others if entry.proof] or [entry.name for entry in others][:MOST_NAMED]
            raise LinregError(
                f"{folder}: holds artifacts of the old weights ({', '.join(shown)}); "
                "use --force to train again and remove them, or another -o"
            )
        check_overwrite(folder, [*OWN_FILES, *([] if manifest else [CHECKSUM_FILE, MANIFEST_FILE])], force=force)
        yield changes


def stage_model(changes: Changes, files: Mapping[str, bytes], state_sha256: str) -> None:
    """Stage the files of a model and their manifest, and remove every file made from the old weights.

    Args:
        changes: the changes that `replacing` yields.
        files: bytes by name, for the state_dict and, if there is one, the card.
        state_sha256: SHA-256 that identifies the weights.

    Raises:
        LinregError: a file cannot be written.
    """
    if (manifest := read_manifest(changes.folder)) is not None:
        remove_listed(changes, manifest, keep=())
    for name, data in files.items():
        changes.stage(name, data)
    entries = [changes.staged_entry(name) for name in files]
    for name, data in manifest_files(state_sha256, entries).items():
        changes.stage(name, data)


def remove_listed(changes: Changes, manifest: Manifest, *, keep: tuple[str, ...]) -> None:
    """Remove the manifest and every file it lists but those in `keep`, so that nothing of the old weights is left.

    A file that no longer matches its checksum is kept.
    """
    for entry in manifest.files:
        if entry.name in keep:
            continue
        with suppress(MismatchError):
            check_listed(changes.folder, entry)
            changes.remove(entry.name)
    changes.remove(CHECKSUM_FILE)
    changes.remove(MANIFEST_FILE)
