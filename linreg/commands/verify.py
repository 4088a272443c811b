"""`linreg verify`: check the files of a bundle again."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from export.formats import FILE_NAMES, Format
from linreg.commands.bundle import find_model, require
from linreg.commands.export import describe, show_artifacts
from linreg.commands.options import Json
from linreg.commands.terminal import print_json, say
from linreg.config import MODEL_FILE
from linreg.errors import LinregError, MismatchError

if TYPE_CHECKING:
    from export.artifacts import Artifact

NAME = "verify"
SUMMARY = "Check the files of a bundle again."


def run(
    bundle: Annotated[
        Path | None, typer.Argument(help="A bundle, or one artifact in it. Default: artifacts/linreg.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Check bytes against the manifest, and every artifact against the float64 reference; exit 3 where they differ."""
    path = find_model(None) if bundle is None else bundle
    checked = verify_bundle(path)
    if as_json:
        print_json({"bundle": str(path), "artifacts": [describe(artifact) for artifact in checked]})
        return
    show_artifacts("verified", checked)
    count = "1 artifact" if len(checked) == 1 else f"{len(checked)} artifacts"
    say(f"ok: the bytes of {path} are those of its manifest, and the outputs of {count} are within what is allowed")


def verify_bundle(path: Path) -> "list[Artifact]":
    """Verify all artifacts of a bundle, or one of them.

    Raises:
        LinregError: there is nothing to verify.
        MismatchError: bytes are not those of the manifest, or a file does not answer as the reference.
    """
    from export.artifacts import verify_artifact
    from export.manifest import CHECKSUM_FILE, MANIFEST_FILE, check_files, read_manifest
    from export.source import from_checkpoint
    from linreg.checkpoint import load

    folder = path if path.is_dir() else path.parent
    manifest = read_manifest(folder)
    listed = [] if manifest is None else [entry.name for entry in manifest.files]
    if path.name not in listed:  # a listed file that is missing is a mismatch
        require(path)
    if manifest is None:
        hint = f"run: linreg export -m {folder}" if (folder / MODEL_FILE).exists() else "name a bundle"
        raise LinregError(f"{path}: there is no {MANIFEST_FILE} in {folder}, which says what a bundle holds; {hint}")
    if path != folder and path.name not in (*listed, MANIFEST_FILE, CHECKSUM_FILE):
        raise LinregError(f"{path}: is not in the manifest of {folder}, which lists {', '.join(listed)}; name one")
    check_files(folder, manifest)
    checkpoint = load(folder / next((name for name in listed if name.endswith(".pth")), MODEL_FILE))
    wanted = {path.name} & set(FILE_NAMES.values()) or set(FILE_NAMES.values())
    if checkpoint.state_sha256 != manifest.state_sha256:
        raise MismatchError(f"{folder}: the state_dict is not the one of the manifest; export again with --force")
    kinds = [kind for kind in Format if FILE_NAMES[kind] in wanted and manifest.entry(FILE_NAMES[kind]) is not None]
    if not kinds:
        raise LinregError(f"{path}: no artifact of it is in the manifest; run: linreg export -m {folder}")
    source = from_checkpoint(checkpoint)
    return [verify_artifact(source, kind, folder / FILE_NAMES[kind]) for kind in kinds]
