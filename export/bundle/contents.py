"""Update a bundle around its new artifacts: remove old files, renew the test vectors and write the manifest."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from export.bundle.staged import staged_external
from export.bundle.vectors import FIRST_INPUT, make_vectors, precision_of_vectors, stage_vectors
from export.bundle.write import FAILED_INPUTS, Artifact
from export.formats.external_data import SUFFIX
from export.formats.names import Format, beside, file_name, format_of
from export.precision import ExportPrecision
from export.runners.load import load_artifact
from export.runners.trust import Trust
from export.source.source import Source
from linreg.changes import Changes
from linreg.config import CARD_FILE, MAX_STATE_BYTES, MODEL_FILE, TOLERANCE_FILE
from linreg.errors import LinregError, MismatchError
from linreg.files import Contents
from linreg.inside import file_inside, files_of, hashed_inside, vector_folders
from linreg.json_files import parse_json
from linreg.manifest import (
    CHECKSUM_FILE,
    MANIFEST_FILE,
    FileEntry,
    Manifest,
    check_overwrite,
    hashed_entry,
    is_bundle_file,
    manifest_files,
    read_manifest,
)
from linreg.module_card_file import is_module_card, module_card_from_json, read_module_card
from linreg.saving import remove_listed


def make_room(
    changes: Changes, source: Source, kinds: list[Format], files: Mapping[str, Contents], *, force: bool
) -> None:
    """Check that no user file would be overwritten, and remove the artifacts of another model.

    Args:
        changes: the pending changes to the bundle.
        source: the module to export.
        kinds: the formats that will be written.
        files: other files that will be written, by name; empty if the model is exported into its own bundle.
        force: overwrite the user's files, and remove another model.

    Raises:
        LinregError: a file differs from what the manifest lists, or the bundle holds another model, or artifacts of
            the same module with other inputs.
    """
    folder, manifest = changes.folder, read_manifest(changes.folder)
    names = [*_written_names(changes, source, kinds), *files]
    if manifest is None:
        names += [CHECKSUM_FILE, MANIFEST_FILE]
    check_overwrite(folder, names, force=force)
    if manifest is not None and manifest.state_sha256 != source.state_sha256:
        if not force:
            raise LinregError(
                f"{folder}: holds another model; use --force to remove it with its artifacts, or another -o BUNDLE"
            )
        remove_listed(changes, manifest, keep=() if files else (MODEL_FILE, CARD_FILE))
    elif manifest is not None and CARD_FILE in files and (left := _with_other_inputs(folder, manifest, names, files)):
        if not force:
            raise LinregError(
                f"{folder}: holds {', '.join(left)} with other inputs or outputs; export every format again, "
                "use --force to remove them, or another -o BUNDLE"
            )
        remove_listed(changes, manifest, keep=())


def _with_other_inputs(folder: Path, manifest: Manifest, names: list[str], files: Mapping[str, Contents]) -> list[str]:
    """Return the listed artifacts that stay in a module's bundle but do not have the inputs of its new card."""
    listed = read_module_card(folder, manifest)
    data = files[CARD_FILE]
    assert isinstance(data, bytes), "only a state_dict may be too large for memory"
    value = parse_json(folder / CARD_FILE, data)
    if (
        listed is None
        or not is_module_card(value)
        or listed.has_interface_of(module_card_from_json(folder / CARD_FILE, value))
    ):
        return []
    return [entry.name for entry in manifest.files if entry.proof and format_of(entry.name) and entry.name not in names]


def _written_names(changes: Changes, source: Source, kinds: list[Format]) -> list[str]:
    """Return the artifacts and vectors that an export may write, or remove.

    Raises:
        LinregError: a user file is among the vectors.
    """
    folder, precision = changes.folder, source.precision
    names = [file_name(kind, precision) for kind in kinds]
    names += [second for kind in kinds if (second := beside(kind, precision))]
    if Format.ONNX in kinds:
        names.append(f"{file_name(Format.ONNX, precision)}{SUFFIX}")
    if precision is None or not _has_vectors(changes):
        names.append(TOLERANCE_FILE)
        vectors = [name for place in vector_folders(folder) for name in files_of(folder, place)]
        for name in vectors:
            if not is_bundle_file(name):
                raise LinregError(f"{folder / name}: is not a test vector; move it away, and export again")
        names += vectors
    return names


def remove_artifact(changes: Changes, kind: Format, precision: ExportPrecision | None) -> None:
    """Remove what an earlier export wrote in a format."""
    for name in (file_name(kind, precision), beside(kind, precision)):
        if name is not None:
            changes.remove(name)


def renew_vectors(changes: Changes, source: Source, written: list[Artifact], *, keep_inputs: bool = False) -> None:
    """Stage new test vectors that replace the older ones.

    Their outputs come from model.onnx if it was just written. Otherwise, if the bundle has no vectors in the model's
    own precision, the outputs come from the first artifact that was written, so that it can be verified again.
    Artifacts in another precision get vectors only if the bundle has none. With `keep_inputs` the user's own inputs
    become vectors too.
    """
    there = _has_vectors(changes)
    if source.precision is not None:
        chosen = [] if there else written[:1]
    else:
        chosen = [artifact for artifact in written if artifact.format is Format.ONNX]
        if not chosen and not (there and precision_of_vectors(read_manifest(changes.folder)) is None):
            chosen = written[:1]
    for artifact in chosen:
        name = artifact.path.name
        data = changes.staged_bytes(name)
        external = staged_external(changes, name, data, source) if artifact.format is Format.ONNX else None
        runner = load_artifact(artifact.format, name, data, Trust.MADE_HERE, external=external)
        del external
        vectors = make_vectors(source, runner, artifact.verification.sizes, keep_inputs=keep_inputs)
        stage_vectors(changes, vectors)


def _has_vectors(changes: Changes) -> bool:
    """Whether the bundle has vectors that its manifest lists; others may come from other weights."""
    manifest = read_manifest(changes.folder)
    listed = manifest is not None and manifest.entry(FIRST_INPUT) is not None
    return listed and not changes.removes(FIRST_INPUT)


def record(
    changes: Changes,
    state_sha256: str,
    *,
    plain: list[str],
    artifacts: list[Artifact],
    vectors_of: ExportPrecision | None = None,
) -> None:
    """Stage the manifest of a bundle, which adds these files and artifacts to those already listed.

    Args:
        changes: the pending changes to the bundle.
        state_sha256: SHA-256 of the weights from which all artifacts were made.
        plain: names of files that are not artifacts.
        artifacts: the artifacts that were just written.
        vectors_of: precision of the staged vectors; None if it is the model's own.

    Raises:
        MismatchError: an artifact already listed was made from other weights.
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
    entries |= {name: changes.staged_entry(name) for name in changes.written}
    if vectors_of is not None and TOLERANCE_FILE in changes.written:
        entries[TOLERANCE_FILE] = replace(entries[TOLERANCE_FILE], proof={"precision": vectors_of.value})
    for name in plain:
        if name not in changes.written and file_inside(folder, name):
            entries[name] = hashed_entry(name, *hashed_inside(folder, name, limit=MAX_STATE_BYTES))
    for artifact in artifacts:
        name = artifact.path.name
        entries[name] = FileEntry(name=name, bytes=artifact.bytes, sha256=artifact.sha256, proof=artifact.proof())
    kept = [entry for entry in entries.values() if not entry.name.endswith(FAILED_INPUTS)]
    for name, data in manifest_files(state_sha256, kept).items():
        changes.stage(name, data)
