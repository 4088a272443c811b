"""`linreg verify`: check the files of a bundle again."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from export.formats import FILE_NAMES, Format
from linreg.commands.bundle import find_model
from linreg.commands.export import describe, show_artifacts
from linreg.commands.options import Json
from linreg.commands.terminal import print_json, say
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
    path = find_model(bundle)
    checked = verify_bundle(path)
    if as_json:
        print_json({"bundle": str(path), "artifacts": [describe(artifact) for artifact in checked]})
        return
    show_artifacts("verified", checked)
    say(f"ok: {len(checked)} artifacts of {path} answer as the reference, and have the bytes of the manifest")


def verify_bundle(path: Path) -> "list[Artifact]":
    """Verify all artifacts of a bundle, or one of them.

    Raises:
        LinregError: there is nothing to verify.
        MismatchError: bytes are not those of the manifest, or a file does not answer as the reference.
    """
    from export.artifacts import verify_artifact
    from export.manifest import check_files, read_manifest
    from export.source import from_checkpoint
    from linreg.checkpoint import load

    folder = path if path.is_dir() else path.parent
    wanted = {path.name} if path.is_file() and path.name in FILE_NAMES.values() else set(FILE_NAMES.values())
    manifest = read_manifest(folder)
    if manifest is None:
        raise LinregError(f"{folder}: has no manifest.json, which says what it holds; run: linreg export -m {folder}")
    check_files(folder, manifest)
    checkpoint = load(folder)
    if checkpoint.state_sha256 != manifest.state_sha256:
        raise MismatchError(f"{folder}: the state_dict is not the one of the manifest; export again with --force")
    kinds = [kind for kind in Format if FILE_NAMES[kind] in wanted and manifest.entry(FILE_NAMES[kind]) is not None]
    if not kinds:
        raise LinregError(f"{path}: no artifact of it is in the manifest; run: linreg export -m {folder}")
    source = from_checkpoint(checkpoint)
    return [verify_artifact(source, kind, folder / FILE_NAMES[kind]) for kind in kinds]
