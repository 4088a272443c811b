"""Verify a bundle again: its bytes against the manifest, and its outputs against the test vectors and the oracle."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from export.bundle.rows import rows_to_verify
from export.bundle.verified import VerifiedBundle, VerifiedFile
from export.formats.names import Format, beside, format_of
from export.precision import ExportPrecision
from export.proof.budget import given_budget
from linreg.arguments import as_path
from linreg.config import MODEL_FILE
from linreg.errors import LinregError, MismatchError, ModelError, UntrustedError
from linreg.in_python import in_python

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from torch import nn

    from export.bundle.module_sources import ModuleSources
    from export.bundle.vectors import VectorCheck
    from export.proof.verification import Verification
    from export.runners.base import Runner
    from linreg.checkpoint import Checkpoint
    from linreg.manifest import FileEntry, Manifest

ORACLE = "float64 oracle"

# torch is imported only when needed: an .onnx file is checked against its test vectors without it.


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
        named = [entry for entry in artifacts if path.name in (entry.name, beside(*_kind(entry.name)))]
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
    model = _model(folder, manifest) if sources is None and (path.is_dir() or data is not None) else None
    rows = None if data is None else rows_to_verify(data, model.card if model else None, folder)
    checked, not_run = _check(folder, manifest, entries, model, rows, sources, trust=trust)
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


def _check(
    folder: Path,
    manifest: "Manifest",
    entries: "list[FileEntry]",
    model: "Checkpoint | None",
    rows: "NDArray[Any] | None",
    sources: "ModuleSources | None",
    *,
    trust: bool,
) -> tuple[list[VerifiedFile], list[str]]:
    """Run every artifact that may be run; return the rows, and the names of the artifacts that were not run.

    Raises:
        MismatchError: the outputs of an artifact differ from those expected.
        LinregError: there is nothing to compare its outputs with.
    """
    from export.bundle.affine_graph import check_affine_weights
    from export.bundle.vectors import check_vectors
    from export.formats.external_data import read_external_data
    from export.proof.affine import load_eager
    from export.proof.optimisation import load_unoptimised
    from export.runners.load import load_artifact
    from export.runners.trust import Trust
    from linreg.manifest import read_entry

    if model is not None:
        load_eager([_kind(entry.name)[0] for entry in entries])
    by_vectors, by_oracle, refused = [], [], []
    for entry in entries:
        kind, precision = _kind(entry.name)
        data = read_entry(folder, entry)
        if kind is Format.ONNX and model is not None and model.card is None:
            check_affine_weights(str(folder / entry.name), data, *_weights(model))
        try:
            external = read_external_data(folder / entry.name, data, manifest) if kind is Format.ONNX else None
            runner = load_artifact(kind, entry.name, data, Trust.from_option(trust), external=external)
        except UntrustedError:
            refused.append(entry.name)
            continue
        other = load_unoptimised(kind, entry.name, data, Trust.from_option(trust), external=external)
        del external
        if compared := has_vectors(manifest, entry):
            by_vectors.append(_row(entry.name, "test vectors", check_vectors(runner, folder, other)))
        if sources is not None:
            by_oracle.append(_row(entry.name, ORACLE, sources.prove(runner, precision, unoptimised=other)))
            continue
        checkpoint = model if model is not None or compared else _model(folder, manifest)
        if checkpoint is not None:
            static = bool(entry.proof.get("static"))
            given = None if static else rows
            found = _by_oracle(runner, other, checkpoint, precision, static=static, rows=given)
            by_oracle.append(_row(entry.name, ORACLE, found))
        elif not compared:
            raise LinregError(
                f"{folder / entry.name}: checksums match; no test vectors and no model of linreg train, so its "
                "outputs were not checked; add --module (in Python: module=NET), or export it again with linreg"
            )
    return by_vectors + by_oracle, refused


def _row(name: str, against: str, found: "VectorCheck | Verification") -> VerifiedFile:
    return VerifiedFile(
        format=_kind(name)[0],
        file=name,
        against=against,
        cases=found.cases,
        worst_error=found.worst_error,
        bytes_equal=found.bytes_equal,
        not_tried=getattr(found, "not_tried", ()),
    )


def has_vectors(manifest: "Manifest", entry: "FileEntry") -> bool:
    """Return whether the bundle has test vectors in the artifact's precision and with batch sizes that it accepts."""
    from export.bundle.vectors import precision_of_vectors

    if manifest.entry("test_data_set_0/input_0.pb") is None or _kind(entry.name)[1] != precision_of_vectors(manifest):
        return False
    several = manifest.entry("test_data_set_1/input_0.pb") is not None
    return bool(entry.proof.get("static")) != several


def _kind(name: str) -> tuple[Format, ExportPrecision | None]:
    kind = format_of(name)
    assert kind is not None, "only artifacts are passed"
    return kind


def _by_oracle(
    runner: "Runner",
    unoptimised: "Runner | None",
    model: "Checkpoint",
    precision: ExportPrecision | None,
    *,
    static: bool,
    rows: "NDArray[Any] | None",
) -> "Verification":
    """Compare an artifact's outputs with the float64 outputs of the bundle's own state_dict."""
    from export.proof.verify import verify
    from export.source.source import from_checkpoint, with_rows

    source = from_checkpoint(model, precision=precision, static=static)
    return verify(runner, source if rows is None else with_rows(source, rows), unoptimised=unoptimised)


def _model(folder: Path, manifest: "Manifest") -> "Checkpoint | None":
    """Return the model of a bundle; None for a bundle of a user's own module.

    Raises:
        MismatchError: the state_dict is not the one that the manifest lists.
    """
    from linreg.affine import recognise
    from linreg.checkpoint import load
    from linreg.state_arrays import load_arrays
    from linreg.state_dict import state_sha256

    state_file = next((entry.name for entry in manifest.files if entry.name.endswith(".pth")), MODEL_FILE)
    state = load_arrays(folder / state_file, manifest)
    if state_sha256(state) != manifest.state_sha256:
        raise MismatchError(
            f"{folder}: the state_dict is not the one that the manifest lists; export again with --force"
        )
    if manifest.of_module:
        return None
    try:
        recognise(state)
    except ModelError:
        return None
    return load(folder / state_file)


def _weights(model: "Checkpoint") -> "tuple[list[float], list[float]]":
    """Return the weights and the bias of a model without a card; the bias is empty if it has none."""
    affine = model.affine
    return affine.weight[0].tolist(), [] if affine.bias is None else affine.bias.tolist()
