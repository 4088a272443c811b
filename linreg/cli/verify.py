"""`linreg verify`: check the files of a bundle again."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from export.formats.names import Format, Precision, format_of
from linreg.cli.bundle import find_bundle, require
from linreg.cli.options import Json
from linreg.cli.rows import rows_to_verify
from linreg.cli.stdout import prints_on_stderr
from linreg.cli.terminal import print_json, say, show_table
from linreg.cli.verify_usage import check_data, check_verifiable
from linreg.config import MODEL_FILE
from linreg.errors import LinregError, MismatchError, ModelError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from export.bundle.vectors import VectorCheck
    from export.proof.verify import Verification
    from export.runners.base import Runner
    from linreg.checkpoint import Checkpoint
    from linreg.manifest import FileEntry, Manifest

NAME = "verify"
SUMMARY = "Check the files of a bundle again."
EXAMPLES = ("linreg verify penguins", "linreg verify penguins/model.onnx")
HEADINGS = ("format", "file", "checked against", "cases", "worst error / allowed", "bytes equal")


def run(
    bundle: Annotated[
        Path | None, typer.Argument(help="A bundle, or one artifact in it. Default: artifacts/linreg.")
    ] = None,
    data: Annotated[Path | None, typer.Option(help="A table whose rows are verified as well.")] = None,
    trust: Annotated[
        bool,
        typer.Option("--trust", help="Load TorchScript, .pt2 and C files that you did not export; they are programs."),
    ] = False,
    as_json: Json = False,
) -> None:
    """Check bytes against the manifest, and answers against the test vectors and the float64 reference.

    Exit 3 where they differ. One .onnx file is checked with its test vectors, without torch.
    """
    from linreg.changes import read_settled

    path = find_bundle(bundle)
    check_verifiable(path)
    folder = path if path.is_dir() else path.parent
    manifest = read_settled(folder, lambda: _manifest(path, folder))
    artifacts = [entry for entry in manifest.files if format_of(entry.name)]
    entries = [entry for entry in artifacts if entry.name == path.name] or artifacts
    if not entries:
        raise LinregError(f"{path}: the manifest lists no artifact; run: linreg export -m {folder}")
    if data is not None:
        check_data(manifest, [entry.name for entry in entries])
    model = _model(folder, manifest) if path.is_dir() or data is not None else None
    rows = None if data is None else rows_to_verify(data, model.card if model else None, folder)
    with prints_on_stderr():
        checked, refused = _check(folder, manifest, entries, model, rows, trust=trust)
    if as_json:
        print_json({"bundle": str(folder), "checked": checked, "not_run": refused})
    elif checked:
        _show(checked)
    if refused:
        raise ModelError(
            f"{folder}: {', '.join(refused)}: not run, since these are programs that this user did not export; "
            "if you trust where they come from, add --trust"
        )
    if not as_json:
        count = "1 artifact" if len(entries) == 1 else f"{len(entries)} artifacts"
        say(f"ok: the bytes of {path} are those of its manifest, and the outputs of {count} are within what is allowed")


def _show(checked: list[dict[str, Any]]) -> None:
    rows = [
        [
            row["format"],
            row["file"],
            row["against"],
            str(row["cases"]),
            f"{row['worst_error']:.3f}",
            "yes" if row["bytes_equal"] else "no",
        ]
        for row in checked
    ]
    show_table("verified", HEADINGS, rows, left=3)


def _manifest(path: Path, folder: Path) -> "Manifest":
    """The manifest, after comparing all that the bundle holds with it.

    Raises:
        LinregError: there is none, or it does not list the file.
        MismatchError: a file has other bytes, or the bundle contradicts itself.
    """
    from export.bundle.integrity import check_bundle
    from linreg.manifest import CHECKSUM_FILE, MANIFEST_FILE, read_manifest

    manifest = read_manifest(folder)
    listed = [] if manifest is None else [entry.name for entry in manifest.files]
    if path.name not in listed:  # a listed file that is missing is a mismatch
        require(path)
    if manifest is None:
        hint = f"run: linreg export -m {folder}" if (folder / MODEL_FILE).exists() else "name a bundle"
        raise LinregError(f"{path}: there is no {MANIFEST_FILE} in {folder}, which says what a bundle holds; {hint}")
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
    *,
    trust: bool,
) -> tuple[list[dict[str, Any]], list[str]]:
    """Run every artifact that may run; returns what was checked, and the names of those that were not run.

    Raises:
        MismatchError: an artifact answers wrongly.
        LinregError: there is nothing to compare its answers with.
    """
    from export.bundle.affine_graph import check_affine_weights
    from export.bundle.load import load_artifact, may_run
    from linreg.manifest import read_entry

    by_vectors, by_reference, refused = [], [], []
    for entry in entries:
        kind, precision = _kind(entry.name)
        data = read_entry(folder, entry)
        if not may_run(kind, data, trust=trust):
            refused.append(entry.name)
            continue
        if kind is Format.ONNX and model is not None and model.card is None:
            check_affine_weights(str(folder / entry.name), data, *_weights(model))
        runner = load_artifact(kind, entry.name, data, trust=trust)
        if has_vectors := _has_vectors(manifest, entry):
            by_vectors.append(_row(entry.name, "test vectors", _by_vectors(runner, folder)))
        reference = model if model is not None or has_vectors else _model(folder, manifest)
        if reference is not None:
            static = bool(entry.proof.get("static"))
            given = None if static else rows
            found = _by_reference(runner, reference, precision, static=static, rows=given)
            by_reference.append(_row(entry.name, "float64 reference", found))
        elif not has_vectors:
            raise LinregError(
                f"{folder / entry.name}: checksums match, but there are no test vectors and no model of linreg train, "
                "so its outputs were not checked; export it again with linreg"
            )
    return by_vectors + by_reference, refused


def _row(name: str, against: str, found: "VectorCheck | Verification") -> dict[str, Any]:
    return {
        "format": _kind(name)[0].value,
        "file": name,
        "against": against,
        "cases": found.cases,
        "worst_error": found.worst_error,
        "bytes_equal": found.bytes_equal,
    }


def _has_vectors(manifest: "Manifest", entry: "FileEntry") -> bool:
    """Vectors are of one precision, and of the batches of the file that they were made with."""
    from export.bundle.vectors import precision_of_vectors

    if manifest.entry("test_data_set_0/input_0.pb") is None or _kind(entry.name)[1] != precision_of_vectors(manifest):
        return False
    several = manifest.entry("test_data_set_1/input_0.pb") is not None
    return bool(entry.proof.get("static")) != several


def _kind(name: str) -> tuple[Format, Precision | None]:
    kind = format_of(name)
    assert kind is not None, "only artifacts are asked for"
    return kind


def _by_vectors(runner: "Runner", folder: Path) -> "VectorCheck":
    """Run the test vectors of a bundle; needs no torch for ONNX."""
    from export.bundle.vectors import check_vectors

    return check_vectors(runner, folder)


def _by_reference(
    runner: "Runner", model: "Checkpoint", precision: Precision | None, *, static: bool, rows: "NDArray[Any] | None"
) -> "Verification":
    """Compare with the float64 reference of the bundle's own state_dict."""
    from export.proof.verify import verify
    from export.source.source import from_checkpoint

    return verify(runner, from_checkpoint(model, precision=precision, static=static), rows=rows)


def _model(folder: Path, manifest: "Manifest") -> "Checkpoint | None":
    """The model of a bundle; None for a bundle of somebody's own module.

    Raises:
        MismatchError: its weights are not those of the manifest.
    """
    from linreg.checkpoint import load, load_state, state_sha256
    from linreg.models import recognise

    state_file = next((entry.name for entry in manifest.files if entry.name.endswith(".pth")), MODEL_FILE)
    state = load_state(folder / state_file, manifest)
    if state_sha256(state) != manifest.state_sha256:
        raise MismatchError(f"{folder}: the state_dict is not the one of the manifest; export again with --force")
    if manifest.of_module:
        return None
    try:
        recognise(state)
    except ModelError:
        return None
    return load(folder / state_file)


def _weights(model: "Checkpoint") -> "tuple[list[float], list[float]]":
    """The weights and the bias, if any, of a model without a card."""
    from linreg.models import affine_of

    affine = affine_of(model.model)
    assert affine is not None, "a checkpoint holds one of the course's two models"
    return affine.weight[0].tolist(), [] if affine.bias is None else affine.bias.tolist()
