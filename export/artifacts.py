"""Write artifacts into a bundle, each verified from disk before it gets its name."""

import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from export.formats import FILE_NAMES, Format
from export.manifest import FileEntry, entry_of, read_manifest, write_manifest
from export.runners import Runner, onnxruntime_runner, torchscript_runner
from export.source import Source
from export.verify import Verification, verify
from linreg.checkpoint import Checkpoint
from linreg.config import CARD_FILE, MAX_STATE_BYTES
from linreg.errors import MismatchError
from linreg.files import read_bytes, sha256, staged


@dataclass(frozen=True, kw_only=True)
class Artifact:
    """A file that was written, or checked again.

    Attributes:
        format: what it is.
        path: where it is.
        bytes: its size.
        sha256: of its bytes.
        duration_s: of export and verification.
        verification: what was proved.
    """

    format: Format
    path: Path
    bytes: int
    sha256: str
    duration_s: float
    verification: Verification


def build(source: Source, kind: Format) -> bytes:
    """The bytes of one format.

    Raises:
        ExportError: the module cannot be exported so.
    """
    if kind is Format.ONNX:
        from export.onnx import to_onnx

        return to_onnx(source)
    from export.torchscript import to_torchscript

    return to_torchscript(source)


def load_runner(kind: Format, name: str, data: bytes) -> Runner:
    """Load the bytes of an artifact; those of TorchScript are a program.

    Raises:
        ModelError: they cannot be loaded.
    """
    return onnxruntime_runner(name, data) if kind is Format.ONNX else torchscript_runner(name, data)


def write_artifact(source: Source, kind: Format, folder: Path, *, rows: NDArray[Any] | None = None) -> Artifact:
    """Export one format into `folder` and verify the file from disk; a file that fails is not left behind.

    Raises:
        ExportError: the module cannot be exported so.
        MismatchError: the file does not answer as the reference.
    """
    start = time.perf_counter()
    path = folder / FILE_NAMES[kind]
    with staged(path, build(source, kind)) as temporary:
        data = read_bytes(temporary, limit=MAX_STATE_BYTES)
        verification = verify(load_runner(kind, path.name, data), source, rows=rows)
    return Artifact(
        format=kind,
        path=path,
        bytes=len(data),
        sha256=sha256(data),
        duration_s=time.perf_counter() - start,
        verification=verification,
    )


def verify_artifact(source: Source, kind: Format, path: Path, *, rows: NDArray[Any] | None = None) -> Artifact:
    """Verify a file that is there.

    Raises:
        ModelError: it cannot be loaded.
        MismatchError: it does not answer as the reference.
    """
    start = time.perf_counter()
    data = read_bytes(path, limit=MAX_STATE_BYTES)
    verification = verify(load_runner(kind, path.name, data), source, rows=rows)
    return Artifact(
        format=kind,
        path=path,
        bytes=len(data),
        sha256=sha256(data),
        duration_s=time.perf_counter() - start,
        verification=verification,
    )


def record(checkpoint: Checkpoint, folder: Path, artifacts: list[Artifact]) -> None:
    """Bring the manifest of a bundle up to date: the state_dict, its card, and artifacts beside those listed already.

    Raises:
        MismatchError: an artifact listed already was made from other weights.
    """
    listed = read_manifest(folder)
    entries: dict[str, FileEntry] = {}
    if listed is not None:
        if listed.state_sha256 != checkpoint.state_sha256:
            raise MismatchError(
                f"{folder}: its artifacts were made from other weights; train or export again with --force"
            )
        entries = {entry.name: entry for entry in listed.files}
    for name in (checkpoint.path.name, CARD_FILE):
        if (folder / name).is_file():
            entries[name] = entry_of(folder / name)
    for artifact in artifacts:
        entries[artifact.path.name] = FileEntry(
            name=artifact.path.name, bytes=artifact.bytes, sha256=artifact.sha256, proof=proof(artifact)
        )
    write_manifest(folder, checkpoint.state_sha256, list(entries.values()))


def proof(artifact: Artifact) -> dict[str, Any]:
    """What the manifest says of an artifact."""
    return {"format": artifact.format.value, **asdict(artifact.verification)}
