"""`linreg export`: write artifacts into a bundle, each verified from disk before it is kept."""

import shlex
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from export.formats import FILE_NAMES, Format
from linreg.commands.bundle import open_model
from linreg.commands.options import Force, Json, Model
from linreg.commands.terminal import note, print_json, say, show_table
from linreg.config import CARD_FILE, MAX_STATE_BYTES, MODEL_FILE
from linreg.errors import LinregError

if TYPE_CHECKING:
    from export.artifacts import Artifact
    from linreg.checkpoint import Checkpoint

NAME = "export"
SUMMARY = "Write ONNX and TorchScript files, each proved equal."


def run(
    model: Model = None,
    formats: Annotated[
        list[Format] | None, typer.Option("--format", "-f", help="May be given several times. Default: onnx")
    ] = None,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Another bundle to write to. Default: the model's own.")
    ] = None,
    force: Force = False,
    as_json: Json = False,
) -> None:
    """Export the reloaded state_dict, and prove each file equal before it is kept.

    A file that does not answer as the float64 reference is not left behind, exit 3. TorchScript is deprecated in torch.
    """
    checkpoint = open_model(model)
    written = export_bundle(checkpoint, list(dict.fromkeys(formats or [Format.ONNX])), output, force=force)
    if as_json:
        print_json({"state_sha256": checkpoint.state_sha256, "artifacts": [describe(artifact) for artifact in written]})
        return
    show_artifacts("exported and verified", written)
    bundle = written[0].path.parent
    exported = bundle if (bundle / MODEL_FILE).is_file() else checkpoint.path
    say(f"next:  linreg verify {shlex.quote(str(bundle))}   and   linreg bench -m {shlex.quote(str(exported))}")


def export_bundle(
    checkpoint: "Checkpoint", formats: list[Format], output: Path | None, *, force: bool
) -> "list[Artifact]":
    """Export and verify every format, then bring the bundle's manifest up to date.

    Raises:
        LinregError: a file there is somebody else's, or the bundle holds another model, and `force` is not set.
        ExportError: the module cannot be exported so.
        MismatchError: a file does not answer as the reference; it is not kept.
    """
    from export.artifacts import record, write_artifact
    from export.manifest import check_overwrite, read_manifest, remove_artifacts
    from export.source import from_checkpoint
    from linreg.checkpoint import load
    from linreg.files import ensure_folder, read_bytes, remove, write_atomic

    home = checkpoint.path.parent
    folder = output or home
    copied: dict[str, bytes] = {}
    if not (folder.exists() and folder.samefile(home)):
        copied[MODEL_FILE] = read_bytes(checkpoint.path, limit=MAX_STATE_BYTES)
        if checkpoint.card is not None:
            copied[CARD_FILE] = read_bytes(home / CARD_FILE, limit=MAX_STATE_BYTES)
    ensure_folder(folder)
    check_overwrite(folder, [*(FILE_NAMES[kind] for kind in formats), *copied], force=force)
    manifest = read_manifest(folder)
    other = manifest is not None and manifest.state_sha256 != checkpoint.state_sha256
    if other and not force:
        raise LinregError(
            f"{folder}: holds another model; use --force to remove it with its artifacts, or another -o BUNDLE"
        )
    source = from_checkpoint(checkpoint)
    if manifest is not None and other:
        remove_artifacts(folder, manifest)
        if copied:
            remove(folder / CARD_FILE)
    for name, data in copied.items():
        write_atomic(folder / name, data)
    written = []
    for kind in formats:
        written.append(write_artifact(source, kind, folder))
        record(load(folder) if copied else checkpoint, folder, written)
    return written


def describe(artifact: "Artifact") -> dict[str, Any]:
    """An artifact as JSON values."""
    return {**asdict(artifact), "path": str(artifact.path)}


def show_artifacts(title: str, artifacts: "list[Artifact]") -> None:
    """The table of artifacts: what was written or checked, and how near to the reference each answers."""
    rows = [
        [
            artifact.format.value,
            artifact.path.name,
            str(artifact.bytes),
            f"{artifact.duration_s:.2f}",
            str(artifact.verification.cases),
            f"{artifact.verification.worst_error:.3f}",
            "yes" if artifact.verification.bytes_equal else "no",
        ]
        for artifact in artifacts
    ]
    headings = ["format", "file", "bytes", "seconds", "cases", "worst error / allowed", "bytes equal eager's"]
    show_table(title, headings, rows, left=2)
    for artifact in artifacts:
        note(f"sha256 {artifact.sha256}  {artifact.path}")
