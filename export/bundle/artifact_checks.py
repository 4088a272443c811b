"""Run the artifacts of a bundle, and compare their outputs with the test vectors and the float64 oracle."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from export.bundle.verified import VerifiedFile
from export.formats.names import Format, format_of
from export.precision import ExportPrecision
from linreg.config import MODEL_FILE
from linreg.errors import LinregError, MismatchError, ModelError, UntrustedError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from export.bundle.module_sources import ModuleSources
    from export.bundle.vectors import VectorCheck
    from export.proof.verification import Verification
    from export.runners.base import Runner
    from linreg.checkpoint import Checkpoint
    from linreg.manifest import FileEntry, Manifest

ORACLE = "float64 oracle"

# torch is imported only when needed: an .onnx file is checked against its test vectors without it.


def check_artifacts(
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
        load_eager([kind_of(entry.name)[0] for entry in entries])
    by_vectors, by_oracle, refused = [], [], []
    for entry in entries:
        kind, precision = kind_of(entry.name)
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
        checkpoint = model if model is not None or compared else model_of(folder, manifest)
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
        format=kind_of(name)[0],
        file=name,
        against=against,
        cases=found.cases,
        worst_error=found.worst_error,
        bytes_equal=found.bytes_equal,
        not_tried=getattr(found, "not_tried", ()),
    )


def has_vectors(manifest: "Manifest", entry: "FileEntry") -> bool:
    """Return whether the bundle has test vectors in the artifact's precision and with batch sizes that it accepts."""
    from export.bundle.vectors import FIRST_INPUT, SECOND_INPUT, precision_of_vectors

    if manifest.entry(FIRST_INPUT) is None or kind_of(entry.name)[1] != precision_of_vectors(manifest):
        return False
    several = manifest.entry(SECOND_INPUT) is not None
    return bool(entry.proof.get("static")) != several


def kind_of(name: str) -> tuple[Format, ExportPrecision | None]:
    """Return the format and the precision of an artifact."""
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


def model_of(folder: Path, manifest: "Manifest") -> "Checkpoint | None":
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
