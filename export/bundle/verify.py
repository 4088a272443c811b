"""Verify a bundle again: its bytes against the manifest, and its outputs against the test vectors and the oracle."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from export.bundle.artifact_checks import check_artifacts, kind_of, model_of
from export.bundle.rows import rows_to_verify
from export.bundle.verified import VerifiedBundle
from export.formats.names import beside, format_of
from export.proof.budget import given_budget
from linreg.arguments import as_path
from linreg.config import MODEL_FILE
from linreg.errors import LinregError, ModelError, UntrustedError
from linreg.in_python import in_python

if TYPE_CHECKING:
    from torch import nn

    from linreg.manifest import FileEntry, Manifest


@in_python
def verify(
    bundle: str | os.PathLike[str],
    *,
    module: "nn.Module | None" = None,
    budget: str | None = None,
    data: str | os.PathLike[str] | None = None,
    trust: bool = False,
) -> VerifiedBundle:
    """Check the bytes of a bundle against its manifest, and its outputs against test vectors and the float64 oracle.

    Args:
        bundle: a bundle, or one artifact in it. A single .onnx file is checked against its test vectors, without torch.
        module: the module that the bundle was exported from, with the same weights: its float64 outputs are compared
            too, on the inputs that card.json describes. Without it, only the test vectors are compared.
        budget: time for the proof of each file against `module`, such as `60s`, or `all`. Default: 10 s.
        data: for a trained model, a table on whose rows the artifacts are also verified.
        trust: run TorchScript, .pt2, C, JavaScript and SQL files, which are programs, even if this user did not export
            them.

    Raises:
        MismatchError: the bytes of a file differ from the manifest, or its outputs differ from those expected.
        ModelError: the bundle is missing or damaged, or `module` has other parameters.
        ExportError: `module` does not take the inputs of the card.
        UntrustedError: the bundle holds programs that this user did not export.
        LinregError: there is nothing to compare the outputs with, or `data` does not apply.
        DataError: the table cannot be used.

    Example:
        >>> import linreg, torch
        >>> linreg.export(torch.nn.Linear(4, 2), "net", inputs="x=float32[batch,4]")
        Bundle('net', model.onnx)
        >>> result = linreg.verify("net")
        >>> [(row.file, row.against) for row in result.rows]
        [('model.onnx', 'test vectors')]
        >>> all(row.worst_error <= 1 for row in result.rows)
        True
    """
    table = None if data is None else as_path("data", data)
    budget_s = given_budget(budget)
    if budget_s is not None and module is None:
        raise LinregError("budget: has no effect without the module; leave it out, or give the module")
    result = verify_artifacts(as_path("bundle", bundle), data=table, trust=trust, module=module, budget_s=budget_s)
    refuse_not_run(result)
    return result


def refuse_not_run(result: VerifiedBundle) -> None:
    """Raise an error if any artifact was not run.

    Raises:
        UntrustedError: an artifact is a program that this user did not export, so it was not run.
    """
    if result.not_run:
        raise UntrustedError(
            f"{result.path}: {', '.join(result.not_run)}: not run, since these are programs that this user did not "
            "export; if you trust their source, add --trust (in Python: trust=True)"
        )


def verify_artifacts(
    path: Path,
    *,
    data: Path | None,
    trust: bool,
    module: "nn.Module | None" = None,
    budget_s: float | None = None,
) -> VerifiedBundle:
    """Do what `verify` does, but list untrusted programs in `not_run` instead of raising an error."""
    from linreg.changes import read_settled

    folder = path if path.is_dir() else path.parent
    manifest = read_settled(folder, lambda: checked_manifest(path, folder))
    artifacts = [entry for entry in manifest.files if format_of(entry.name)]
    entries = artifacts
    if not path.is_dir():
        named = [entry for entry in artifacts if path.name in (entry.name, beside(*kind_of(entry.name)))]
        entries = named or artifacts
    if not entries:
        raise LinregError(f"{path}: the manifest lists no artifact; run: linreg export -m {folder}")
    if data is not None and all_static(entries):
        raise LinregError(f"{path}: takes a fixed batch size, but data may have any number of rows; leave data out")
    if data is not None and module is not None:
        raise LinregError("data are the rows of a table, and a module of your own takes none; leave data out")
    sources = None
    if module is not None:
        from export.bundle.module_sources import ModuleSources

        sources = ModuleSources(module, folder, manifest, budget_s=budget_s)
    model = model_of(folder, manifest) if sources is None and (path.is_dir() or data is not None) else None
    rows = None if data is None else rows_to_verify(data, model.card if model else None, folder)
    checked, not_run = check_artifacts(folder, manifest, entries, model, rows, sources, trust=trust)
    names = tuple(entry.name for entry in entries)
    return VerifiedBundle(path=path, rows=tuple(checked), files=names, not_run=tuple(not_run))


def all_static(entries: "Sequence[FileEntry]") -> bool:
    """Return whether every artifact has a fixed batch size, so that none can run the rows of a table."""
    return all(entry.proof.get("static") for entry in entries)


def checked_manifest(path: Path, folder: Path) -> "Manifest":
    """Read the manifest, and check the whole bundle against it.

    Raises:
        LinregError: there is no manifest, or it does not list the file.
        ModelError: there is no such bundle or file.
        MismatchError: the bytes of a file differ from the manifest, or files of the bundle contradict each other.
    """
    from export.bundle.integrity import check_bundle
    from linreg.manifest import CHECKSUM_FILE, MANIFEST_FILE, read_manifest

    manifest = read_manifest(folder)
    listed = [] if manifest is None else [entry.name for entry in manifest.files]
    if path.name not in listed and not path.exists():  # a listed file that is missing is a mismatch
        raise ModelError(f"{path}: no such bundle or file; check the name and the folder")
    if manifest is None:
        hint = f"run: linreg export -m {folder}" if (folder / MODEL_FILE).exists() else "name a bundle"
        raise LinregError(f"{path}: there is no {MANIFEST_FILE} in {folder}, which lists the files of a bundle; {hint}")
    if path != folder and path.name not in (*listed, MANIFEST_FILE, CHECKSUM_FILE):
        raise LinregError(f"{path}: is not in the manifest of {folder}, which lists {', '.join(listed[:8])}; name one")
    check_bundle(folder, manifest)
    return manifest
