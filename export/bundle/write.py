"""Make artifacts for a bundle, each verified from disk before it gets its name."""

import io
import time
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from export.bundle.path_leaks import check_no_paths
from export.bundle.vectors import TOLERANCE_FILE
from export.formats.names import PROGRAMS, Format, beside, file_name
from export.precision import ExportPrecision
from export.proof.verify import Verification, verify
from export.runners.ledger import remember
from export.runners.load import load_artifact
from export.runners.trust import Trust
from export.source.source import Source
from linreg.changes import Changes, changing
from linreg.config import MAX_STATE_BYTES
from linreg.errors import LinregError, MismatchError
from linreg.files import sha256
from linreg.inside import file_inside, read_inside
from linreg.manifest import MANIFEST_FILE, FileEntry, entry_of, manifest_files, read_listed, read_manifest

if TYPE_CHECKING:
    from torch.export import ExportedProgram

Array = NDArray[Any]

FAILED_INPUTS = ".failed-inputs.npz"


@dataclass(frozen=True, kw_only=True)
class Artifact:
    """A file that was written, or checked again.

    Attributes:
        format: what it is.
        precision: where it is not the model's own.
        path: where it is.
        bytes: its size.
        sha256: of its bytes.
        duration_s: of export and verification.
        needs: the oldest runtime that was shown to run it, such as `onnxruntime >= 1.15.1`.
        details: what else the manifest says of the file: opset, IR version, probes.
        verification: what was proved.
    """

    format: Format
    precision: ExportPrecision | None
    path: Path
    bytes: int
    sha256: str
    duration_s: float
    needs: str
    details: dict[str, Any]
    verification: Verification

    def proof(self) -> dict[str, Any]:
        """What the manifest says of the file."""
        precision = {} if self.precision is None else {"precision": self.precision.value}
        return {
            "format": self.format.value,
            **precision,
            "needs": self.needs,
            **self.details,
            **asdict(self.verification),
        }


def build(
    source: Source,
    kind: Format,
    *,
    opset: int | None = None,
    prefix: str | None = None,
    program: "ExportedProgram | None" = None,
) -> bytes:
    """The bytes of one format.

    Args:
        source: what is exported.
        kind: the format.
        opset: of ONNX; None takes the default.
        prefix: of the names in C; None takes the default.
        program: the capture that ONNX and .pt2 share; None makes one where it is needed.

    Raises:
        ExportError: the module cannot be exported so.
    """
    if kind is Format.ONNX:
        from export.formats.onnx import DEFAULT_OPSET, to_onnx

        return to_onnx(source, opset=opset or DEFAULT_OPSET, program=program)
    if kind is Format.C:
        from export.formats.c import DEFAULT_PREFIX, to_c

        return to_c(source, prefix=prefix or DEFAULT_PREFIX)
    if kind is Format.PT2:
        from export.formats.capture import capture
        from export.formats.pt2 import to_pt2

        return to_pt2(source, program or capture(source))
    from export.formats.torchscript import to_torchscript, to_traced_torchscript

    return to_torchscript(source) if kind is Format.TORCHSCRIPT else to_traced_torchscript(source)


def make_artifact(
    source: Source,
    kind: Format,
    changes: Changes,
    *,
    precision: ExportPrecision | None = None,
    opset: int | None = None,
    prefix: str | None = None,
    program: "ExportedProgram | None" = None,
    rows: Array | None = None,
) -> Artifact:
    """Export one format, stage its file and verify that from disk; a file that fails is taken back.

    What showed a difference is staged as `FILE.failed-inputs.npz`.

    Raises:
        ExportError: the module cannot be exported so.
        MismatchError: the file does not answer as the reference.
    """
    start = time.perf_counter()
    name = file_name(kind, precision)
    failed, second = f"{name}{FAILED_INPUTS}", beside(kind, precision)
    staged = changes.stage(name, build(source, kind, opset=opset, prefix=prefix, program=program))
    try:
        data = changes.staged_bytes(name)
        check_no_paths(name, data)
        verification = verify(load_artifact(kind, name, data, Trust.MADE_HERE), source, rows=rows)
        details = _details(kind, data)
        if source.static:
            details["static"] = True
        if source.affine is None:
            from export.proof.probes import probe

            details["probes"] = probe(kind, staged, source)
        _remember(kind, data)
        if second is not None:
            from export.formats.c_text import header_of

            changes.stage(second, header_of(data))
        changes.remove(failed)
        if kind is Format.ONNX:
            changes.remove(f"{name}.data")  # left by an exporter that keeps weights in a second file
    except MismatchError as error:
        changes.drop(name)
        if error.inputs:
            changes.stage(failed, _archive(dict(error.inputs)))
            raise MismatchError(f"{error}; the inputs are in {changes.folder / failed}") from error
        raise
    except BaseException:
        for written in (name, second):
            if written in changes.written:
                changes.drop(written)
        raise
    return _artifact(kind, precision, changes.folder / name, data, start, details, verification)


def _remember(kind: Format, data: bytes) -> None:
    if kind in PROGRAMS:
        remember(data)
    else:
        with suppress(LinregError):  # without a ledger, it is verified in a child process like a foreign file
            remember(data)


def write_artifact(source: Source, kind: Format, folder: Path, **options: Any) -> Artifact:
    """Export one format into `folder`, without a manifest; the options are those of `make_artifact`.

    Raises:
        ExportError: the module cannot be exported so.
        MismatchError: the file does not answer as the reference; the inputs that showed it are saved beside.
    """
    with changing(folder, command="linreg.write_artifact") as changes:
        try:
            return make_artifact(source, kind, changes, **options)
        finally:
            changes.commit()


def verify_artifact(
    source: Source,
    kind: Format,
    path: Path,
    trust: Trust,
    *,
    precision: ExportPrecision | None = None,
    rows: Array | None = None,
) -> Artifact:
    """Verify a file that is there.

    Raises:
        ModelError: it cannot be loaded, or is a program that is not trusted.
        MismatchError: it does not answer as the reference.
    """
    start = time.perf_counter()
    data = read_listed(path.parent, path.name, limit=MAX_STATE_BYTES)
    verification = verify(load_artifact(kind, path.name, data, trust), source, rows=rows)
    return _artifact(kind, precision, path, data, start, _details(kind, data), verification)


def record(
    changes: Changes,
    state_sha256: str,
    *,
    plain: list[str],
    artifacts: list[Artifact],
    vectors_of: ExportPrecision | None = None,
) -> None:
    """Stage the manifest of a bundle: plain files by name, and artifacts beside those listed already.

    Args:
        changes: of the bundle.
        state_sha256: of the weights that all of it was made from.
        plain: files that are no artifacts.
        artifacts: that were made just now.
        vectors_of: the precision of the vectors that are staged, where it is not the model's own.

    Raises:
        MismatchError: an artifact listed already was made from other weights.
    """
    folder = changes.folder
    listed = None if changes.removes(MANIFEST_FILE) else read_manifest(folder)
    entries: dict[str, FileEntry] = {}
    if listed is not None:
        if listed.state_sha256 != state_sha256:
            raise MismatchError(f"{folder}: its artifacts were made from other weights; export again with --force")
        entries = {
            entry.name: entry
            for entry in listed.files
            if not changes.removes(entry.name) and file_inside(folder, entry.name)
        }
    entries |= {name: entry_of(name, changes.staged_bytes(name)) for name in changes.written}
    if vectors_of is not None and TOLERANCE_FILE in changes.written:
        entries[TOLERANCE_FILE] = replace(entries[TOLERANCE_FILE], proof={"precision": vectors_of.value})
    for name in plain:
        if name not in changes.written and file_inside(folder, name):
            entries[name] = entry_of(name, read_inside(folder, name, limit=MAX_STATE_BYTES))
    for artifact in artifacts:
        name = artifact.path.name
        entries[name] = FileEntry(name=name, bytes=artifact.bytes, sha256=artifact.sha256, proof=artifact.proof())
    kept = [entry for entry in entries.values() if not entry.name.endswith(FAILED_INPUTS)]
    for name, data in manifest_files(state_sha256, kept).items():
        changes.stage(name, data)


def _artifact(
    kind: Format,
    precision: ExportPrecision | None,
    path: Path,
    data: bytes,
    start: float,
    details: dict[str, Any],
    verification: Verification,
) -> Artifact:
    return Artifact(
        format=kind,
        precision=precision,
        path=path,
        bytes=len(data),
        sha256=sha256(data),
        duration_s=time.perf_counter() - start,
        needs=details.pop("needs"),
        details=details,
        verification=verification,
    )


def _details(kind: Format, data: bytes) -> dict[str, Any]:
    """What the file itself says."""
    if kind is Format.C:
        from export.runners.c import describe_compiler

        return {"needs": "a C99 or C++17 compiler", "compiled_with": describe_compiler()}
    if kind is not Format.ONNX:
        import torch

        return {"needs": f"torch (made by {torch.__version__.split('+')[0]})"}
    from export.bundle.compatibility import oldest_onnxruntime
    from export.inspection.onnx import onnx_versions

    opset, ir_version = onnx_versions(data)
    assert opset is not None, "onnx's checker has seen it"
    return {"needs": f"onnxruntime >= {oldest_onnxruntime(opset)}", "opset": opset, "ir_version": ir_version}


def _archive(arrays: dict[str, Any]) -> bytes:
    buffer = io.BytesIO()
    np.savez(buffer, **arrays)
    return buffer.getvalue()
