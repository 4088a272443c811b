"""Export a source into a bundle: what may be overwritten, one capture for all formats, vectors, the manifest last."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from export.formats.names import Format, Precision, beside, file_name
from linreg.cli.terminal import progress, say_waiting
from linreg.config import CARD_FILE, MAX_STATE_BYTES, MODEL_FILE
from linreg.errors import LinregError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from export.bundle.write import Artifact
    from export.source.source import Source
    from linreg.changes import Changes
    from linreg.checkpoint import Checkpoint


@dataclass(frozen=True, kw_only=True)
class ExportOptions:
    """How files are written.

    Attributes:
        opset: of ONNX; None takes the default.
        prefix: of the names in C; None takes the default.
        precision: of the files' parameters; None keeps the model's own.
        rows: the user's own inputs, to verify with as well.
    """

    opset: int | None = None
    prefix: str | None = None
    precision: Precision | None = None
    rows: "NDArray[np.float64] | None" = None


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What became of each format: the artifacts that were written, and why others were refused."""

    written: "list[Artifact]"
    refused: dict[Format, LinregError]


def make_room(
    changes: "Changes",
    state_sha256: str,
    plain: dict[str, bytes],
    kinds: list[Format],
    options: ExportOptions,
    *,
    force: bool,
) -> None:
    """See that nothing of somebody else's is lost, and take out what was made from other weights.

    Args:
        changes: of the bundle.
        state_sha256: of the weights that are exported.
        plain: files that are put there as well, by name; none where the bundle is the model's own.
        kinds: the formats that will be written.
        options: how.
        force: overwrite all the same.

    Raises:
        LinregError: a file there is not what the manifest lists, the bundle holds another model, or there is no
            compiler to prove C with.
    """
    from export.bundle.vectors import TOLERANCE_FILE
    from linreg.inside import files_of, vector_folders
    from linreg.manifest import CHECKSUM_FILE, MANIFEST_FILE, check_overwrite, is_bundle_file, read_manifest

    folder = changes.folder
    if Format.C in kinds:
        from export.runners.c import compiler

        compiler()
    names = [*(file_name(kind, options.precision) for kind in kinds), *plain]
    names += [second for kind in kinds if (second := beside(kind, options.precision))]
    manifest = read_manifest(folder)
    if Format.ONNX in kinds:
        names.append(f"{file_name(Format.ONNX, options.precision)}.data")
    if options.precision is None:
        names.append(TOLERANCE_FILE)
        for place in vector_folders(folder):
            for name in files_of(folder, place):
                if not is_bundle_file(name):
                    raise LinregError(f"{folder / name}: is no test vector; move it away, and export again")
                names.append(name)
    if manifest is None:
        names += [CHECKSUM_FILE, MANIFEST_FILE]
    check_overwrite(folder, names, force=force)
    if manifest is not None and manifest.state_sha256 != state_sha256:
        if not force:
            raise LinregError(
                f"{folder}: holds another model; use --force to remove it with its artifacts, or another -o BUNDLE"
            )
        from linreg.saving import remove_listed

        own = () if plain else (MODEL_FILE, CARD_FILE)
        remove_listed(changes, manifest, keep=own)


def checkpoint_files(checkpoint: "Checkpoint", folder: Path) -> dict[str, bytes]:
    """What another bundle needs of a model's own: the state_dict and the card; nothing where it is the same bundle.

    Raises:
        LinregError: the file in the same bundle is not the model's state_dict as it stands.
    """
    from linreg.checkpoint import model_bytes
    from linreg.manifest import read_listed

    home = checkpoint.path.parent
    if folder.exists() and folder.samefile(home):
        if checkpoint.notes:
            raise LinregError(
                f"{checkpoint.path}: is not the state_dict of the model as it stands ({'; '.join(checkpoint.notes)}), "
                f"so that it cannot be a bundle's; name another folder for the bundle with -o"
            )
        return {}
    if checkpoint.notes:
        return {MODEL_FILE: model_bytes(checkpoint.model)}
    files = {MODEL_FILE: read_listed(home, checkpoint.path.name, limit=MAX_STATE_BYTES)}
    if checkpoint.card is not None:
        files[CARD_FILE] = read_listed(home, CARD_FILE, limit=MAX_STATE_BYTES)
    return files


def export_source(
    source: "Source",
    folder: Path,
    kinds: list[Format],
    options: ExportOptions,
    *,
    plain: dict[str, bytes] | None = None,
    state_file: str = MODEL_FILE,
    force: bool = False,
    wait: bool = False,
) -> Outcome:
    """Export and verify every format, and put all files into the bundle in one sequence, the manifest last.

    Args:
        source: what is exported.
        folder: the bundle.
        kinds: the formats.
        options: how.
        plain: the state_dict and the card by name, for a bundle that is not the model's own.
        state_file: the name of the state_dict in the bundle.
        force: overwrite files that the manifest does not list, and remove those of another model.
        wait: wait for another command that writes there.

    Raises:
        LinregError: the folder cannot be written, another command writes there, or something would be lost.
    """
    from linreg.changes import changing
    from linreg.folders import ensure_folder

    plain = plain or {}
    ensure_folder(folder)
    with changing(folder, command="linreg export", wait=wait, on_wait=say_waiting) as changes:
        make_room(changes, source.state_sha256, plain, kinds, options, force=force)
        outcome = _make_artifacts(source, changes, kinds, options)
        if outcome.written:
            _stage_rest(source, changes, options, outcome.written, plain, state_file)
        else:
            changes.keep()  # a command that wrote nothing takes no other model away
        changes.commit()
    return outcome


def _make_artifacts(source: "Source", changes: "Changes", kinds: list[Format], options: ExportOptions) -> Outcome:
    from export.bundle.write import make_artifact

    outcome = Outcome(written=[], refused={})
    program = None
    with progress("exporting", len(kinds)) as done:
        for place, kind in enumerate(kinds):
            try:
                if program is None and (kind is Format.PT2 or (kind is Format.ONNX and source.affine is None)):
                    from export.formats.capture import capture

                    program = capture(source)
                artifact = make_artifact(
                    source,
                    kind,
                    changes,
                    precision=options.precision,
                    opset=options.opset,
                    prefix=options.prefix,
                    program=program,
                    rows=options.rows,
                )
                outcome.written.append(artifact)
            except LinregError as error:
                outcome.refused[kind] = error
            done(place + 1)
    return outcome


def _stage_rest(
    source: "Source",
    changes: "Changes",
    options: ExportOptions,
    written: "list[Artifact]",
    plain: dict[str, bytes],
    state_file: str,
) -> None:
    """Stage the state_dict and the card, the vectors, and the manifest."""
    from export.bundle.write import record

    for name, data in plain.items():
        changes.stage(name, data)
    if plain and CARD_FILE not in plain:
        changes.remove(CARD_FILE)
    _stage_vectors(source, changes, written, options.precision)
    described = [MODEL_FILE, CARD_FILE] if state_file == MODEL_FILE else [state_file]
    record(changes, source.state_sha256, plain=described, artifacts=written, vectors_of=options.precision)


def export_checkpoint(
    checkpoint: "Checkpoint",
    kinds: list[Format],
    output: Path | None = None,
    options: ExportOptions | None = None,
    *,
    force: bool = False,
) -> "list[Artifact]":
    """Export a model of `linreg train` as it is, into its own bundle or another.

    Raises:
        LinregError: a format was refused, a file does not answer as the reference, or something would be lost.
    """
    from export.source.source import from_checkpoint

    folder, options = output or checkpoint.path.parent, options or ExportOptions()
    source = from_checkpoint(checkpoint, precision=options.precision)
    files = checkpoint_files(checkpoint, folder)
    state_file = MODEL_FILE if files else checkpoint.path.name
    outcome = export_source(source, folder, kinds, options, plain=files, state_file=state_file, force=force)
    for error in outcome.refused.values():
        raise error
    return outcome.written


def _stage_vectors(
    source: "Source", changes: "Changes", written: "list[Artifact]", precision: Precision | None
) -> None:
    """Stage test vectors in place of older ones.

    The answers are those of model.onnx where it was just written. Where it was not, and no vectors of the model's own
    precision are there, they are those of the first file that was: then that format can be verified again, too. Files
    of another precision get vectors only where there are none.
    """
    from export.bundle.vectors import make_vectors, precision_of_vectors, stage_vectors
    from export.runners.base import load_runner
    from linreg.inside import vector_folders
    from linreg.manifest import read_manifest

    there = bool(vector_folders(changes.folder)) and not changes.removes("test_data_set_0/input_0.pb")
    if precision is not None:
        chosen = [] if there else written[:1]
    else:
        chosen = [artifact for artifact in written if artifact.format is Format.ONNX]
        if not chosen and not (there and precision_of_vectors(read_manifest(changes.folder)) is None):
            chosen = written[:1]
    for artifact in chosen:
        name = artifact.path.name
        runner = load_runner(artifact.format, name, changes.staged_bytes(name))
        stage_vectors(changes, make_vectors(source, runner))
