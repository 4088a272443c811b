"""The manifest: what is in a bundle, which bytes, and what has been proved of them."""

import platform
import re
from dataclasses import asdict, dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Any

from linreg.config import CARD_FILE, MAX_STATE_BYTES, MODEL_FILE
from linreg.errors import LinregError, MismatchError, ModelError, one_line
from linreg.files import read_bytes, read_json, remove, sha256, write_atomic, write_json

MANIFEST_FILE = "manifest.json"
CHECKSUM_FILE = "SHA256SUMS"
SCHEMA_VERSION = 1
NAME = re.compile(r"(test_data_set_[0-9]+/)?[A-Za-z0-9][A-Za-z0-9._-]*")
"""A file of a bundle: in the bundle itself, or in the folder of one test vector."""

VERSIONS_OF = ("torch", "numpy", "onnx", "onnxruntime")


@dataclass(frozen=True, kw_only=True)
class FileEntry:
    """One file of a bundle.

    Attributes:
        name: in the bundle; only test vectors stand in folders.
        bytes: its size.
        sha256: of its bytes.
        proof: for an artifact, its format, what it needs, and what its verification showed; else empty.
    """

    name: str
    bytes: int
    sha256: str
    proof: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Manifest:
    """manifest.json.

    Attributes:
        state_sha256: the weights that every file was made from.
        files: sorted by name.
        verified_with: versions and processor of the machine that verified last.
        schema_version: of this file.
    """

    state_sha256: str
    files: tuple[FileEntry, ...]
    verified_with: dict[str, str]
    schema_version: int = SCHEMA_VERSION

    def entry(self, name: str) -> FileEntry | None:
        """The entry of a file, or None."""
        return next((entry for entry in self.files if entry.name == name), None)


def entry_of(folder: Path, name: str, proof: dict[str, Any] | None = None) -> FileEntry:
    """Describe a file of a bundle as it is on disk."""
    data = read_bytes(folder / name, limit=MAX_STATE_BYTES)
    return FileEntry(name=name, bytes=len(data), sha256=sha256(data), proof=proof or {})


def read_manifest(folder: Path) -> Manifest | None:
    """The manifest of a bundle; None where there is none.

    Raises:
        ModelError: it is damaged, of a later schema, or names a file outside the bundle.
    """
    path = folder / MANIFEST_FILE
    if not path.exists():
        return None
    value = read_json(path)
    if isinstance(value.get("schema_version"), int) and value["schema_version"] > SCHEMA_VERSION:
        raise ModelError(f"{path}: has schema {value['schema_version']}, expected {SCHEMA_VERSION}; update linreg")
    try:
        files = tuple(FileEntry(**entry) for entry in value["files"])
        for entry in files:
            if not NAME.fullmatch(entry.name) or entry.name in (MANIFEST_FILE, CHECKSUM_FILE):
                raise ValueError(f"the file name {entry.name!r} is not one of this folder")
            if not (isinstance(entry.bytes, int) and isinstance(entry.sha256, str) and isinstance(entry.proof, dict)):
                raise TypeError(f"the entry of {entry.name!r} has values of a wrong type")
        if len({entry.name for entry in files}) != len(files):
            raise ValueError("a file is listed twice")
        return Manifest(**{**value, "files": files})
    except (TypeError, KeyError, ValueError) as error:
        raise ModelError(f"{path}: is not a manifest: {one_line(error)}; remove it, and export again") from None


def write_manifest(folder: Path, state_sha256: str, entries: list[FileEntry]) -> Manifest:
    """Write SHA256SUMS, then, last of all files, the manifest."""
    files = tuple(sorted(entries, key=lambda entry: entry.name))
    manifest = Manifest(state_sha256=state_sha256, files=files, verified_with=verifying_machine())
    sums = "".join(f"{entry.sha256}  {entry.name}\n" for entry in files)
    write_atomic(folder / CHECKSUM_FILE, sums.encode())
    write_json(folder / MANIFEST_FILE, asdict(manifest))
    return manifest


def verifying_machine() -> dict[str, str]:
    """Versions and processor, without anything that names the machine."""
    found = {"python": platform.python_version(), "processor": platform.machine()}
    found |= {name: version(name) for name in VERSIONS_OF}
    import torch

    return found | {"cpu_capability": torch.backends.cpu.get_cpu_capability()}


def check_files(folder: Path, manifest: Manifest) -> None:
    """See that every file of a bundle has the bytes that its manifest names.

    Raises:
        MismatchError: a file is missing or other than listed.
    """
    for entry in manifest.files:
        path = folder / entry.name
        if path.is_symlink() or not path.is_file():
            raise MismatchError(f"{path}: is listed in the manifest, but is not there as a file; export again")
        found = entry_of(folder, entry.name)
        if found.sha256 != entry.sha256:
            raise MismatchError(
                f"{path}: has sha256 {found.sha256[:12]}.. ({found.bytes} bytes), the manifest says "
                f"{entry.sha256[:12]}.. ({entry.bytes} bytes); restore the file, or export again"
            )


def check_overwrite(folder: Path, names: list[str], *, force: bool) -> None:
    """See that only files of ours are overwritten: those that the manifest lists with the bytes they have.

    Raises:
        LinregError: one is somebody else's and `force` is not set.
    """
    if force:
        return
    manifest = read_manifest(folder)
    for name in names:
        path = folder / name
        if path.is_symlink() or path.exists():
            listed = manifest.entry(name) if manifest else None
            if listed is None or path.is_dir() or listed.sha256 != entry_of(folder, name).sha256:
                raise LinregError(f"{path}: is there and is not what the manifest lists; use --force, or another -o")


def remove_artifacts(folder: Path, manifest: Manifest) -> None:
    """Take the exported files out of a bundle, the manifest first, so that none stays beside other weights."""
    remove(folder / MANIFEST_FILE)
    remove(folder / CHECKSUM_FILE)
    for entry in manifest.files:
        if entry.name not in (MODEL_FILE, CARD_FILE):
            remove(folder / entry.name)
    for place in folder.glob("test_data_set_*"):
        if not any(place.iterdir()):
            place.rmdir()
