"""Export a source into a bundle: what may be overwritten, one capture for all formats, vectors, the manifest last."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from export.formats import Format, Precision, beside, file_name
from linreg.commands.terminal import progress
from linreg.config import CARD_FILE, MAX_STATE_BYTES, MODEL_FILE
from linreg.errors import LinregError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from export.artifacts import Artifact
    from export.source import Source
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
    folder: Path,
    state_sha256: str,
    plain: dict[str, bytes],
    kinds: list[Format],
    options: ExportOptions,
    *,
    force: bool,
) -> None:
    """Put the state_dict (and card) into a bundle, after seeing that nothing of somebody else's is lost.

    Args:
        folder: the bundle.
        state_sha256: of the weights that are exported.
        plain: files to write first, by name; none where the bundle is the model's own.
        kinds: the formats that will be written.
        options: how.
        force: overwrite all the same.

    Raises:
        LinregError: a file there is not what the manifest lists, the bundle holds another model, or there is no
            compiler to prove C with.
    """
    from export.manifest import CHECKSUM_FILE, check_overwrite, read_manifest, remove_artifacts
    from export.vectors import TOLERANCE_FILE
    from linreg.files import ensure_folder, remove, write_atomic

    ensure_folder(folder)
    if Format.C in kinds:
        from export.c_compiler import compiler

        compiler()
    names = [*(file_name(kind, options.precision) for kind in kinds), *plain]
    names += [second for kind in kinds if (second := beside(kind, options.precision))]
    manifest = read_manifest(folder)
    if Format.ONNX in kinds:
        names.append(f"{file_name(Format.ONNX, options.precision)}.data")
    if options.precision is None:
        names += [TOLERANCE_FILE, *(str(path.relative_to(folder)) for path in folder.glob("test_data_set_*/*"))]
    if manifest is None:
        names.append(CHECKSUM_FILE)
    check_overwrite(folder, names, force=force)
    if manifest is not None and manifest.state_sha256 != state_sha256:
        if not force:
            raise LinregError(
                f"{folder}: holds another model; use --force to remove it with its artifacts, or another -o BUNDLE"
            )
        remove_artifacts(folder, manifest)
        if plain:
            remove(folder / CARD_FILE)
    for name, data in plain.items():
        write_atomic(folder / name, data)


def checkpoint_files(checkpoint: "Checkpoint", folder: Path) -> dict[str, bytes]:
    """What another bundle needs of a model's own: the state_dict and the card; nothing where it is the same bundle.

    Raises:
        LinregError: the file in the same bundle is not the model's state_dict as it stands.
    """
    from linreg.checkpoint import model_bytes
    from linreg.files import read_bytes

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
    files = {MODEL_FILE: read_bytes(checkpoint.path, limit=MAX_STATE_BYTES)}
    if checkpoint.card is not None:
        files[CARD_FILE] = read_bytes(home / CARD_FILE, limit=MAX_STATE_BYTES)
    return files


def export_source(
    source: "Source", folder: Path, kinds: list[Format], options: ExportOptions, *, state_file: str = MODEL_FILE
) -> Outcome:
    """Export and verify every format into a bundle; the manifest is written last.

    Raises:
        LinregError: the folder cannot be written.
    """
    from export.artifacts import record, write_artifact

    outcome = Outcome(written=[], refused={})
    program = None
    with progress("exporting", len(kinds)) as done:
        for place, kind in enumerate(kinds):
            try:
                if program is None and (kind is Format.PT2 or (kind is Format.ONNX and source.affine is None)):
                    from export.capture import capture

                    program = capture(source)
                artifact = write_artifact(
                    source,
                    kind,
                    folder,
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
    vectors = _write_vectors(source, folder, outcome.written) if options.precision is None else []
    described = [MODEL_FILE, CARD_FILE] if state_file == MODEL_FILE else [state_file]
    record(folder, source.state_sha256, plain=[*described, *vectors], artifacts=outcome.written)
    return outcome


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
    from export.source import from_checkpoint

    folder, options = output or checkpoint.path.parent, options or ExportOptions()
    source = from_checkpoint(checkpoint, precision=options.precision)
    files = checkpoint_files(checkpoint, folder)
    make_room(folder, source.state_sha256, files, kinds, options, force=force)
    outcome = export_source(source, folder, kinds, options, state_file=MODEL_FILE if files else checkpoint.path.name)
    for error in outcome.refused.values():
        raise error
    return outcome.written


def _write_vectors(source: "Source", folder: Path, written: "list[Artifact]") -> list[str]:
    """Write test vectors in place of older ones, and return the names of the files.

    The answers are those of model.onnx where it was just written. Where it was not, and no vectors are there, they are
    those of the first file that was: then that format can be verified again, too.
    """
    from export.runners import load_runner
    from export.vectors import make_vectors, write_vectors
    from linreg.files import read_bytes

    chosen = [artifact for artifact in written if artifact.format is Format.ONNX]
    if not chosen and not (folder / "test_data_set_0").exists():
        chosen = written[:1]
    if not chosen:
        return []
    path = chosen[0].path
    files = make_vectors(source, load_runner(chosen[0].format, path.name, read_bytes(path, limit=MAX_STATE_BYTES)))
    write_vectors(folder, files)
    return list(files)
