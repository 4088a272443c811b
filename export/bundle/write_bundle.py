"""Write and verify the artifacts of a bundle, then its other files, and apply all changes together."""

import time
from collections.abc import Callable, Collection
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from export.bundle.build import ExportOptions
from export.bundle.contents import make_room, record, remove_artifact, renew_vectors
from export.bundle.exportable import Exportable
from export.bundle.integrity import remarks_on_unlisted, unlisted_files
from export.bundle.write import Artifact, make_artifact
from export.formats.names import Format
from export.proof.affine import load_eager
from export.source.source import Source
from linreg.changes import Changes, changing
from linreg.config import CARD_FILE, MODEL_FILE
from linreg.errors import ExportError, LinregError, MismatchError, ModelError
from linreg.folders import ensure_folder
from linreg.manifest import read_manifest

if TYPE_CHECKING:
    from torch.export import ExportedProgram

THROUGH_ONNX = (Format.ONNX, Format.C, Format.JS, Format.SQL)
"""The formats in which a module that is not affine is written by torch.onnx."""

Progress = Callable[[str, int, int], None]
"""Called as `progress(stage, done, total)` as each stage begins, when `done` of `total` formats are complete, and as
each case of a proof begins, when `done` of `total` cases are complete. The proof of an affine module reports none."""


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """The outcome of an export for each format.

    Attributes:
        written: the artifacts that were written and verified.
        refused: the error with which each other format was refused.
        left_out: the reason for which each optional format was left out.
        unlisted: files of artifacts and test vectors that were in the folder and that no manifest lists.
    """

    written: list[Artifact]
    refused: dict[Format, LinregError]
    left_out: dict[Format, LinregError]
    unlisted: list[str]

    @property
    def error(self) -> LinregError | None:
        """The error that `raise_refused` raises: the one with the highest exit code; None if no format was refused."""
        return max(self.refused.values(), key=lambda refusal: refusal.exit_code, default=None)

    def raise_refused(self) -> None:
        """Raise `error`, if any format was refused."""
        if self.error is not None:
            raise self.error

    def remarks(self) -> list[str]:
        """Return one line per reason for which formats were left out, and one that names unlisted files."""
        named: dict[str, list[str]] = {}
        for kind, error in self.left_out.items():
            named.setdefault(str(error).removeprefix(f"{kind}: "), []).append(kind)
        left_out = [f"{', '.join(kinds)}: {reason}" for reason, kinds in named.items()]
        return [*left_out, *remarks_on_unlisted(self.unlisted)]


def write_bundle(
    chosen: Exportable,
    folder: Path,
    kinds: list[Format],
    options: ExportOptions,
    *,
    optional: Collection[Format] = (),
    force: bool = False,
    wait: bool = False,
    on_wait: Callable[[str], None] | None = None,
    progress: Progress | None = None,
) -> Outcome:
    """Write and verify every format, then apply all changes to the bundle together, with the manifest last.

    Args:
        chosen: the model to export.
        folder: the folder of the bundle.
        kinds: the formats to write.
        options: how the files are written and verified. A prefix makes C no longer optional.
        optional: formats that are left out, not refused, if they cannot be written or verified. A file whose outputs
            differ is refused all the same.
        force: overwrite files that the manifest does not list, and remove those of another model.
        wait: wait for another command that is writing to the folder.
        on_wait: called once with the name of that command.
        progress: called as each stage begins.

    Raises:
        LinregError: the folder cannot be written, another command is writing to it, user files would be overwritten,
            or there is no compiler to verify C with, or no Node.js to verify JavaScript with.
    """
    if options.prefix is not None:
        optional = set(optional) - {Format.C}
    left_out = _without_program(kinds, optional)
    kinds = [kind for kind in kinds if kind not in left_out]
    ensure_folder(folder)
    with changing(folder, command="linreg export", wait=wait, on_wait=on_wait) as changes:
        make_room(changes, chosen.source, kinds, chosen.files, force=force)
        outcome = _make_artifacts(chosen, changes, kinds, options, optional, progress)
        outcome.left_out.update(left_out)
        if outcome.written:
            _stage_rest(chosen, changes, outcome.written, keep_inputs=options.keep_inputs)
        else:
            changes.keep()  # nothing was written, so another model is not removed
        changes.commit()
        if (manifest := read_manifest(folder)) is not None:
            outcome.unlisted.extend(unlisted_files(folder, manifest))
    return outcome


def _without_program(kinds: list[Format], optional: Collection[Format]) -> dict[Format, LinregError]:
    """Return the optional formats whose proof needs a program that is not installed, with the error that names it.

    Raises:
        LinregError: a program is missing for another format.
    """
    found: dict[Format, LinregError] = {}
    for kind in kinds:
        try:
            if kind is Format.C:
                from export.runners.c import compiler

                compiler()
            elif kind is Format.JS:
                from export.runners.js import node

                node()
        except LinregError as error:
            if kind not in optional:
                raise
            found[kind] = error
    return found


def _make_artifacts(
    chosen: Exportable,
    changes: Changes,
    kinds: list[Format],
    options: ExportOptions,
    optional: Collection[Format],
    progress: Progress | None,
) -> Outcome:
    outcome, source = Outcome(written=[], refused={}, left_out={}, unlisted=[]), chosen.source
    if source.affine is not None:
        load_eager(kinds)
    elif any(kind in THROUGH_ONNX for kind in kinds):
        import onnxscript  # noqa: F401, if it is missing, torch says so after the capture, and as if of the module
    program: ExportedProgram | None = None
    capture_s = 0.0
    for place, kind in enumerate(kinds):

        def begin(stage: str, done: int = place, total: int = len(kinds)) -> None:
            if progress is not None:
                progress(stage, done, total)

        try:
            if kind in optional and source.affine is None and _is_unwritten(outcome.refused.get(Format.ONNX)):
                raise ExportError(f"{kind}: source code is written from the ONNX file, which was refused")
            if program is None and _needs_capture(kind, source):
                from export.formats.capture import capture

                begin("capture")
                start = time.perf_counter()
                program = capture(source)
                capture_s = time.perf_counter() - start
            outcome.written.append(
                make_artifact(source, kind, changes, options, program=program, capture_s=capture_s, begin=begin)
            )
        except LinregError as error:
            if kind in optional and not isinstance(error, MismatchError):
                outcome.left_out[kind] = error
                if source.given is not None:  # a file of an earlier export has other inputs
                    remove_artifact(changes, kind, source.precision)
            else:
                outcome.refused[kind] = error
    if progress is not None:
        progress("finish the bundle", len(kinds), len(kinds))
    return outcome


def _is_unwritten(refusal: LinregError | None) -> bool:
    """Whether the ONNX file was refused for what source code would be refused for too.

    That is not so if onnxruntime cannot load the file, as it has no Erf for float64: source code needs only the graph.
    """
    return refusal is not None and not isinstance(refusal, ModelError)


def _needs_capture(kind: Format, source: Source) -> bool:
    return kind is Format.PT2 or (kind in THROUGH_ONNX and source.affine is None)


def _stage_rest(chosen: Exportable, changes: Changes, written: list[Artifact], *, keep_inputs: bool) -> None:
    """Stage the state_dict and the card, the vectors, and the manifest."""
    source, files = chosen.source, chosen.files
    for name, data in files.items():
        changes.stage(name, data)
    if files and CARD_FILE not in files:
        changes.remove(CARD_FILE)
    renew_vectors(changes, source, written, keep_inputs=keep_inputs)
    described = [MODEL_FILE, CARD_FILE] if chosen.state_file == MODEL_FILE else [chosen.state_file]
    record(changes, source.state_sha256, plain=described, artifacts=written, vectors_of=source.precision)
