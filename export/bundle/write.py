"""Make the artifacts of a bundle; each is verified from disk before it gets its final name."""

import io
import shlex
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from export.bundle.build import DEFAULTS, ExportOptions, build_files
from export.bundle.path_leaks import check_no_paths
from export.bundle.staged import load_staged
from export.formats.external_data import SUFFIX
from export.formats.names import PROGRAMS, Format, beside, file_name
from export.formats.second_file import second_file
from export.precision import ExportPrecision
from export.proof.budget import LEAST_DEFAULT_S
from export.proof.optimisation import LEVELS
from export.proof.verification import Verification
from export.proof.verify import verify
from export.runners.ledger import remember
from export.source.source import Source
from linreg.changes import Changes
from linreg.errors import LinregError, MismatchError
from linreg.files import sha256

if TYPE_CHECKING:
    from torch.export import ExportedProgram

Array = NDArray[Any]
Begin = Callable[..., None]
"""Called as `begin(stage)`, or as `begin(stage, done, total)`."""

FAILED_INPUTS = ".failed-inputs.npz"


@dataclass(frozen=True, kw_only=True)
class Artifact:
    """A file that was written and verified.

    Attributes:
        format: its format.
        precision: dtype of its parameters; None if it is the model's own.
        path: path of the file.
        bytes: size of the file.
        weights_bytes: size of the second file of a large ONNX model; 0 without one.
        sha256: SHA-256 of the file.
        duration_s: time taken by export and verification.
        needs: oldest runtime that is known to run it, such as `onnxruntime >= 1.15.1`.
        details: other facts for the manifest: opset, IR version, probes.
        verification: what was proved about the file.
    """

    format: Format
    precision: ExportPrecision | None
    path: Path
    bytes: int
    weights_bytes: int
    sha256: str
    duration_s: float
    needs: str
    details: dict[str, Any]
    verification: Verification

    def proof(self) -> dict[str, Any]:
        """Return the proof that the manifest records for this file."""
        precision = {} if self.precision is None else {"precision": self.precision.value}
        proved = asdict(self.verification)
        if proved["weights"] is None:  # an affine module, all of whose parameters and cases are proved
            keys = ("weights", "ties", "sizes", "optimisation", "cannot_fail")
            for key in (*keys, *(() if proved["not_tried"] else ("not_tried",))):
                del proved[key]
        elif not proved["optimisation"]:
            del proved["optimisation"]
        return {
            "format": self.format.value,
            **precision,
            "needs": self.needs,
            **self.details,
            **proved,
        }


def make_artifact(
    source: Source,
    kind: Format,
    changes: Changes,
    options: ExportOptions = DEFAULTS,
    *,
    program: "ExportedProgram | None" = None,
    capture_s: float = 0.0,
    begin: Begin = lambda _stage, _done=None, _total=None: None,
) -> Artifact:
    """Export to one format, stage the file and verify it from disk; a file that fails is not kept.

    Args:
        source: the module and its inputs; its precision is part of the file's name.
        kind: the format.
        changes: the pending changes to the bundle, to which the file is added.
        options: how the file is written and verified.
        program: the capture that ONNX and .pt2 share; None captures the module if needed.
        capture_s: how long the capture took.
        begin: called with the name of each stage (`write onnx`, `prove onnx`), and as each case of a proof begins
            also with the number of cases done and in all.

    Raises:
        ExportError: the module cannot be exported to this format.
        MismatchError: the outputs differ from the oracle; `FILE.failed-inputs.npz` holds inputs on which they differ.
    """
    start = time.perf_counter()
    name = file_name(kind, source.precision)
    failed, second = f"{name}{FAILED_INPUTS}", beside(kind, source.precision)
    begin(f"write {kind}")
    staged = [
        changes.stage(written, contents)
        for written, contents in build_files(source, kind, options, program=program).items()
    ]
    budget_s = options.budget_s
    if budget_s is None:
        budget_s = max(capture_s + time.perf_counter() - start, LEAST_DEFAULT_S)
    begin(f"prove {kind}")
    try:
        data = changes.staged_bytes(name)
        check_no_paths(name, data)
        runner, unoptimised = load_staged(kind, name, changes, data, source)
        verification = verify(
            runner,
            source,
            unoptimised=unoptimised,
            budget_s=budget_s,
            begin=partial(begin, f"prove {kind}"),
        )
        if kind is Format.ONNX and not verification.optimisation:
            verification = replace(verification, optimisation=LEVELS[:1])
        del runner, unoptimised
        details = _details(kind, data)
        if source.static:
            details["static"] = True
        if source.affine is None:
            from export.proof.probes import probe

            details["probes"] = probe(kind, staged, source)
        _remember(kind, data)
        if second is not None:
            changes.stage(second, second_file(kind, name, data))
        changes.remove(failed)
        if kind is Format.ONNX:
            changes.remove(f"{name}{SUFFIX}")  # unless it was just written
    except MismatchError as error:
        _drop(changes, kind, source.precision)
        if error.inputs:
            changes.stage(failed, _archive(dict(error.inputs)))
            large = len(staged) > 1  # bisect does not read a second file
            bisect = "" if large else _bisect_hint(source, kind, changes.folder / name, options.module_words)
            raise MismatchError(f"{error}; its inputs are in {changes.folder / failed}{bisect}") from error
        raise
    except BaseException:
        _drop(changes, kind, source.precision)
        raise
    weights_bytes = sum(path.stat().st_size for path in staged[1:])
    return _artifact(kind, source.precision, changes.folder / name, data, weights_bytes, start, details, verification)


def _drop(changes: Changes, kind: Format, precision: ExportPrecision | None) -> None:
    """Discard whatever was staged of a format."""
    name = file_name(kind, precision)
    for written in (name, beside(kind, precision), f"{name}{SUFFIX}"):
        if written is not None and written in changes.written:
            changes.drop(written)


def _bisect_hint(source: Source, kind: Format, path: Path, words: tuple[str, ...]) -> str:
    """The command that finds the wrong node of an ONNX file; empty for an affine model, which has one node."""
    if kind is not Format.ONNX or source.affine is not None:
        return ""
    if not words:
        described = [word for entry in source.inputs for word in ("--input", entry.text())]
        words = ("--module", "FILE.py:NAME", *described)
    return f"; to find the first wrong node: {shlex.join(['linreg', 'bisect', str(path), *words])}"


def _remember(kind: Format, data: bytes) -> None:
    if kind in PROGRAMS:
        remember(data)
    else:
        with suppress(LinregError):  # without a ledger, it is verified in a child process like a foreign file
            remember(data)


def _artifact(
    kind: Format,
    precision: ExportPrecision | None,
    path: Path,
    data: bytes,
    weights_bytes: int,
    start: float,
    details: dict[str, Any],
    verification: Verification,
) -> Artifact:
    return Artifact(
        format=kind,
        precision=precision,
        path=path,
        bytes=len(data),
        weights_bytes=weights_bytes,
        sha256=sha256(data),
        duration_s=time.perf_counter() - start,
        needs=details.pop("needs"),
        details=details,
        verification=verification,
    )


def _details(kind: Format, data: bytes) -> dict[str, Any]:
    """Return facts for the manifest: the runtime that the file needs, and its ONNX versions C compiler or Node.js."""
    if kind is Format.C:
        from export.runners.c import describe_compiler

        return {"needs": "a C99 or C++17 compiler", "compiled_with": describe_compiler()}
    if kind is Format.JS:
        from export.runners.js import describe_node

        return {"needs": "a browser or Node.js", "run_with": describe_node()}
    if kind is Format.SQL:
        from export.runners.sqlite import describe_sqlite

        return {"needs": "SQLite 3.35, DuckDB or PostgreSQL 12", "run_with": describe_sqlite()}
    if kind is not Format.ONNX:
        import torch

        return {"needs": f"torch (made by {torch.__version__.split('+')[0]})"}
    from export.bundle.compatibility import oldest_onnxruntime
    from export.inspection.onnx import onnx_versions

    opset, ir_version = onnx_versions(data)
    assert opset is not None, "onnx's checker has accepted it"
    return {"needs": f"onnxruntime >= {oldest_onnxruntime(opset)}", "opset": opset, "ir_version": ir_version}


def _archive(arrays: dict[str, Any]) -> bytes:
    buffer = io.BytesIO()
    np.savez(buffer, **arrays)
    return buffer.getvalue()
