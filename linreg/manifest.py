"""The manifest of a bundle lists its files, their checksums, and how they were verified."""

import platform
import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from linreg.config import MAX_JSON_BYTES, MAX_STATE_BYTES
from linreg.errors import LinregError, MismatchError, ModelError, one_line
from linreg.files import read_bytes, sha256
from linreg.inside import file_inside, hashed_inside, read_inside
from linreg.json_files import json_bytes, parse_json
from linreg.processor import cpu_capability

MANIFEST_FILE = "manifest.json"
CHECKSUM_FILE = "SHA256SUMS"
SCHEMA_VERSION = 1
NAME = re.compile(
    r"model(\.(float16|float32|float64))?(\.onnx|\.onnx\.data|(\.traced)?\.torchscript|\.pt2|\.c|\.h|\.mjs|\.d\.mts|\.sql)"
    r"(\.failed-inputs\.npz)?"
    r"|[A-Za-z0-9][A-Za-z0-9._-]*\.pth"
    r"|card\.json|data\.json"
    r"|test_data_set_[0-9]+/(input|output|allowed)_[0-9]+\.pb"
)
"""Names of files in a bundle: at its top level, or in the folder of a test vector."""

SHA256 = re.compile(r"[0-9a-f]{64}")

VERSIONS_OF = ("torch", "numpy", "onnx", "onnxruntime")


@dataclass(frozen=True, kw_only=True)
class FileEntry:
    """One file of a bundle.

    Attributes:
        name: path inside the bundle; only test vectors are in folders.
        bytes: size.
        sha256: SHA-256 of the contents.
        proof: for an artifact, its format, its requirements and the result of its verification; otherwise empty.
    """

    name: str
    bytes: int
    sha256: str
    proof: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Manifest:
    """The contents of manifest.json.

    Attributes:
        state_sha256: SHA-256 that identifies the weights from which every file was made.
        files: the files, sorted by name.
        verified_with: package versions and processor of the last verification.
        schema_version: version of the format of manifest.json.
    """

    state_sha256: str
    files: tuple[FileEntry, ...]
    verified_with: dict[str, str]
    schema_version: int = SCHEMA_VERSION

    def entry(self, name: str) -> FileEntry | None:
        """Return the entry of a file, or None if the file is not listed."""
        return next((entry for entry in self.files if entry.name == name), None)

    @property
    def of_module(self) -> bool:
        """Whether the files were exported from a user's own module, whose state_dict may look like one of ours."""
        return any("probes" in entry.proof for entry in self.files)


def is_bundle_file(name: str) -> bool:
    """Return whether a manifest may list a file of this name."""
    return NAME.fullmatch(name) is not None


def is_sha256(text: object) -> bool:
    """Return whether a value is a SHA-256 in lower-case hexadecimal."""
    return isinstance(text, str) and SHA256.fullmatch(text) is not None


def entry_of(name: str, data: bytes, proof: dict[str, Any] | None = None) -> FileEntry:
    """Make the entry of a file.

    Raises:
        ModelError: a manifest cannot list a file of this name.
    """
    return hashed_entry(name, len(data), sha256(data), proof)


def hashed_entry(name: str, size: int, digest: str, proof: dict[str, Any] | None = None) -> FileEntry:
    """Make the entry of a file of a known size in bytes and SHA-256.

    Raises:
        ModelError: a manifest cannot list a file of this name.
    """
    if not is_bundle_file(name):
        raise ModelError(f"{name!r}: a bundle cannot hold a file of this name; rename it, for example to model.pth")
    return FileEntry(name=name, bytes=size, sha256=digest, proof=proof or {})


def read_manifest(folder: Path) -> Manifest | None:
    """Read the manifest of a bundle.

    Return None if there is none, or if manifest.json belongs to another program.

    Raises:
        ModelError: the manifest is a link, is damaged, has a later schema, or lists a file that a bundle cannot hold.
    """
    path = folder / MANIFEST_FILE
    if not folder.is_dir() or not file_inside(folder, MANIFEST_FILE):
        return None
    value = parse_json(path, read_inside(folder, MANIFEST_FILE, limit=MAX_JSON_BYTES))
    if not value.keys() & {"state_sha256", "files"}:
        return None
    if isinstance(value.get("schema_version"), int) and value["schema_version"] > SCHEMA_VERSION:
        raise ModelError(f"{path}: has schema {value['schema_version']}, expected {SCHEMA_VERSION}; update linreg")
    try:
        files = tuple(FileEntry(**entry) for entry in value["files"])
        for entry in files:
            _check_entry(entry)
        if len({entry.name for entry in files}) != len(files):
            raise ValueError("a file is listed twice")
        if not is_sha256(value["state_sha256"]):
            raise ValueError("state_sha256 is not 64 hexadecimal digits")
        return Manifest(**{**value, "files": files})
    except (TypeError, KeyError, ValueError) as error:
        raise ModelError(f"{path}: is not a manifest: {one_line(error)}; remove it, and export again") from None


def _check_entry(entry: FileEntry) -> None:
    if not isinstance(entry.name, str) or not is_bundle_file(entry.name):
        raise ValueError(f"the file name {entry.name!r} is not one of this folder")
    if type(entry.bytes) is not int or entry.bytes < 0 or not isinstance(entry.proof, dict):
        raise TypeError(f"the entry of {entry.name!r} has values of the wrong type")
    if not is_sha256(entry.sha256):
        raise ValueError(f"the sha256 of {entry.name!r} is not 64 hexadecimal digits")


def manifest_files(state_sha256: str, entries: list[FileEntry]) -> dict[str, bytes]:
    """Return the bytes of SHA256SUMS and of the manifest, by name and in this order."""
    files = tuple(sorted(entries, key=lambda entry: entry.name))
    manifest = Manifest(state_sha256=state_sha256, files=files, verified_with=verifying_machine())
    return {CHECKSUM_FILE: checksums(files), MANIFEST_FILE: json_bytes(asdict(manifest))}


def checksums(files: Iterable[FileEntry]) -> bytes:
    """Return the contents of SHA256SUMS, for `sha256sum -c`."""
    return "".join(f"{entry.sha256}  {entry.name}\n" for entry in files).encode()


def verifying_machine() -> dict[str, str]:
    """Return the package versions and the kind of processor, but nothing that identifies the machine."""
    from importlib.metadata import PackageNotFoundError, version

    found = {"python": platform.python_version(), "processor": platform.machine()}
    for name in VERSIONS_OF:
        with suppress(PackageNotFoundError):  # torch may be missing
            found[name] = version(name)
    return found | {"cpu_capability": cpu_capability()}


def read_listed(folder: Path, name: str, *, limit: int, manifest: Manifest | None = None) -> bytes:
    """Read a file that may belong to a bundle; if the manifest lists it, compare it with the manifest.

    Args:
        folder: folder of the file; without a manifest there, the file may be a link.
        name: path relative to `folder`.
        limit: largest size in bytes.
        manifest: manifest of the folder, if it was already read.

    Raises:
        MismatchError: the contents differ from the manifest.
        ModelError: the manifest is damaged, or the file is a link inside a bundle.
        LinregError: the file cannot be read.
    """
    manifest = manifest or read_manifest(folder)
    if manifest is None:
        return read_bytes(folder / name, limit=limit)
    entry = manifest.entry(name)
    return read_inside(folder, name, limit=limit) if entry is None else read_entry(folder, entry, limit=limit)


def read_entry(folder: Path, entry: FileEntry, *, limit: int = MAX_STATE_BYTES) -> bytes:
    """Read a file that the manifest of `folder` lists.

    Raises:
        MismatchError: the file is missing or is a link, or its contents differ.
    """
    with _listed(folder, entry):
        data = read_inside(folder, entry.name, limit=limit)
    _check_hash(folder, entry, len(data), sha256(data))
    return data


def check_listed(folder: Path, entry: FileEntry, *, limit: int = MAX_STATE_BYTES) -> None:
    """Check a file that the manifest of `folder` lists, without keeping it in memory.

    Raises:
        MismatchError: the file is missing or is a link, or its contents differ.
    """
    with _listed(folder, entry):
        size, digest = hashed_inside(folder, entry.name, limit=limit)
    _check_hash(folder, entry, size, digest)


@contextmanager
def _listed(folder: Path, entry: FileEntry) -> Iterator[None]:
    """Turn errors while reading a listed file into MismatchError."""
    path = folder / entry.name
    try:
        if not file_inside(folder, entry.name):
            raise MismatchError(
                f"{path}: is listed in the manifest, but is missing; restore it, or create the bundle again"
            )
        yield
    except MismatchError:
        raise
    except LinregError as error:
        raise MismatchError(f"{path}: is listed in the manifest, but not readable as a file: {error}") from None


def _check_hash(folder: Path, entry: FileEntry, size: int, digest: str) -> None:
    if size != entry.bytes or digest != entry.sha256:
        raise MismatchError(
            f"{folder / entry.name}: has sha256 {digest[:12]}.. ({size} bytes), the manifest says "
            f"{entry.sha256[:12]}.. ({entry.bytes} bytes); restore the file, or export again"
        )


def check_overwrite(folder: Path, names: Iterable[str], *, force: bool) -> None:
    """Check that only files of linreg are overwritten: those whose contents match the manifest.

    Raises:
        ModelError: a file is a link, or not a regular file.
        LinregError: a file is not linreg's, and `force` is not set.
    """
    manifest = read_manifest(folder)
    for name in names:
        if not file_inside(folder, name) or force:
            continue
        listed = manifest.entry(name) if manifest else None
        if listed is None or listed.sha256 != hashed_inside(folder, name, limit=MAX_STATE_BYTES)[1]:
            raise LinregError(f"{folder / name}: exists and is not what the manifest lists; use --force, or another -o")
