"""The journal of a transaction on a bundle lists which staged files to rename and which files to remove.

A downloaded bundle may contain a journal. So a journal can name only files that belong in a bundle, and each file that
it renames or removes must have the sha256 that the journal lists.
"""

import re
import shutil
from contextlib import suppress
from pathlib import Path
from typing import Any

from linreg.config import MAX_JSON_BYTES, MAX_STATE_BYTES
from linreg.errors import LinregError, ModelError
from linreg.files import sync_folder, writing
from linreg.inside import file_inside, hashed_inside, make_parent, read_inside
from linreg.json_files import parse_json
from linreg.manifest import CHECKSUM_FILE, MANIFEST_FILE, is_bundle_file, is_sha256

STAGE_FOLDER = ".linreg-staged"
JOURNAL_FILE = "journal.json"
REPORT_FILES = frozenset({"bench.json", "report.html", "predictions.png", "residuals.png", "loss_curves.png"})
"""Files that commands write into a bundle without listing them in the manifest."""

PARTS_MANIFEST = "_manifest.json"
"""Lists the parts of a table in a folder; readers of Parquet skip names that begin with an underscore."""

PART_NAME = re.compile(r"part-[0-9]{5,}\.parquet")

LIMIT_BYTES = MAX_STATE_BYTES


def read_journal(folder: Path) -> dict[str, Any]:
    """Read the journal of an interrupted command, or one that came with a downloaded bundle.

    Raises:
        ModelError: the journal is a link, not a regular file, or not JSON.
    """
    stage = folder / STAGE_FOLDER
    try:
        data = read_inside(folder, f"{STAGE_FOLDER}/{JOURNAL_FILE}", limit=MAX_JSON_BYTES)
        return parse_json(stage / JOURNAL_FILE, data)
    except LinregError as error:
        raise ModelError(f"{error}; {_discard(stage)}") from None


def _discard(stage: Path) -> str:
    return f"remove {stage}, and run it again"


def apply(folder: Path, journal: dict[str, Any]) -> None:
    """Apply the changes of a journal; changes that are already applied are skipped.

    Raises:
        ModelError: the journal is damaged, or a staged file is missing or differs from what the journal lists.
        LinregError: a file cannot be written.
    """
    stage = folder / STAGE_FOLDER
    writes, removes = _checked(stage, journal)
    last = [name for name in (CHECKSUM_FILE, MANIFEST_FILE, PARTS_MANIFEST) if name in writes]
    for name in (name for name in writes if name not in last):
        _put(folder, name, stage, *writes[name])
    for name, digest in removes.items():
        if file_inside(folder, name) and _sha256(folder, name) == digest:
            with writing(folder / name):
                (folder / name).unlink()
    for name in last:
        _put(folder, name, stage, *writes[name])
    for parent in {Path(name).parent for name in (*writes, *removes)} - {Path()}:
        with suppress(OSError):  # not empty, or already removed
            (folder / parent).rmdir()
    for parent in {folder / Path(name).parent for name in writes}:
        sync_folder(parent)
    with writing(stage):
        (stage / JOURNAL_FILE).unlink()
    remove_stage(stage)


def _put(folder: Path, name: str, stage: Path, file: str, digest: str) -> None:
    """Rename a staged file to its final name."""
    if not file_inside(stage, file):
        if file_inside(folder, name) and _sha256(folder, name) == digest:
            return  # already renamed
        raise ModelError(f"{folder / name}: the staged file of an interrupted command is gone; {_discard(stage)}")
    if _sha256(stage, file) != digest:
        raise ModelError(f"{stage / file}: differs from its journal; {_discard(stage)}")
    make_parent(folder, name)
    file_inside(folder, name)  # neither a link nor a folder
    with writing(folder / name):
        if (folder / name).exists():
            (stage / file).chmod((folder / name).stat().st_mode & 0o777)
        (stage / file).replace(folder / name)


def _sha256(folder: Path, name: str) -> str:
    return hashed_inside(folder, name, limit=LIMIT_BYTES)[1]


def _checked(stage: Path, journal: dict[str, Any]) -> tuple[dict[str, tuple[str, str]], dict[str, str]]:
    """Parse the renames and removals of a journal.

    Raises:
        ModelError: the journal is damaged, or lists a file that does not belong in a bundle.
    """
    try:
        writes = {name: (entry["file"], entry["sha256"]) for name, entry in journal["write"].items()}
        removes = dict(journal["remove"])
        names, digests = [*writes, *removes], [*(digest for _, digest in writes.values()), *removes.values()]
        for name in names:
            check_name(name)
        if not all(is_sha256(digest) for digest in digests) or not all(file.isdecimal() for file, _ in writes.values()):
            raise ValueError
    except (LinregError, ValueError, KeyError, TypeError, AttributeError):
        raise ModelError(
            f"{stage / JOURNAL_FILE}: is not the journal of an interrupted command; {_discard(stage)}"
        ) from None
    return writes, removes


def check_name(name: str) -> None:
    """Check that a file of this name belongs in a bundle, or in a folder with the parts of a table.

    Raises:
        LinregError: neither can hold a file of this name.
    """
    known = name in (*REPORT_FILES, MANIFEST_FILE, CHECKSUM_FILE, PARTS_MANIFEST)
    if not (known or is_bundle_file(name) or PART_NAME.fullmatch(name)):
        raise LinregError(f"{name!r} is not a file of a bundle; expected a plain name such as model.pth")


def remove_stage(stage: Path) -> None:
    """Remove the staged files.

    Raises:
        LinregError: the files cannot be removed.
    """
    with writing(stage):
        shutil.rmtree(stage)
