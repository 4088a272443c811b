"""Write and verify the artifacts of a bundle, then its other files, and apply all changes together."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from export.bundle.build import ExportOptions
from export.bundle.contents import make_room, record, renew_vectors
from export.bundle.exportable import Exportable
from export.bundle.write import Artifact, make_artifact
from export.formats.names import Format
from export.proof.affine import load_eager
from export.source.source import Source
from linreg.changes import Changes, changing
from linreg.config import CARD_FILE, MODEL_FILE
from linreg.errors import LinregError
from linreg.folders import ensure_folder

if TYPE_CHECKING:
    from torch.export import ExportedProgram

Progress = Callable[[str, int, int], None]
"""Called as `progress(stage, done, total)` as each stage begins, when `done` of `total` formats are complete, and as
each case of a proof begins, when `done` of `total` cases are complete. The proof of an affine module reports none."""


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """The outcome of an export for each format.

    Attributes:
        written: the artifacts that were written and verified.
        refused: the error with which each other format was refused.
    """

    written: list[Artifact]
    refused: dict[Format, LinregError]

    @property
    def error(self) -> LinregError | None:
        """The error that `raise_refused` raises: the one with the highest exit code; None if no format was refused."""
        return max(self.refused.values(), key=lambda refusal: refusal.exit_code, default=None)

    def raise_refused(self) -> None:
        """Raise `error`, if any format was refused."""
        if self.error is not None:
            raise self.error


def write_bundle(
    chosen: Exportable,
    folder: Path,
    kinds: list[Format],
    options: ExportOptions,
    *,
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
        options: how the files are written and verified.
        force: overwrite files that the manifest does not list, and remove those of another model.
        wait: wait for another command that is writing to the folder.
        on_wait: called once with the name of that command.
        progress: called as each stage begins.

    Raises:
        LinregError: the folder cannot be written, another command is writing to it, user files would be overwritten,
            or there is no compiler to verify C with, or no Node.js to verify JavaScript with.
    """
    if Format.C in kinds:
        from export.runners.c import compiler

        compiler()
    if Format.JS in kinds:
        from export.runners.js import node

        node()
    ensure_folder(folder)
    with changing(folder, command="linreg export", wait=wait, on_wait=on_wait) as changes:
        make_room(changes, chosen.source, kinds, chosen.files, force=force)
        outcome = _make_artifacts(chosen, changes, kinds, options, progress)
        if outcome.written:
            _stage_rest(chosen, changes, outcome.written, keep_inputs=options.keep_inputs)
        else:
            changes.keep()  # nothing was written, so another model is not removed
        changes.commit()
    return outcome


def _make_artifacts(
    chosen: Exportable, changes: Changes, kinds: list[Format], options: ExportOptions, progress: Progress | None
) -> Outcome:
    outcome, source = Outcome(written=[], refused={}), chosen.source
    if source.affine is not None:
        load_eager(kinds)
    program: ExportedProgram | None = None
    capture_s = 0.0
    for place, kind in enumerate(kinds):

        def begin(stage: str, done: int = place, total: int = len(kinds)) -> None:
            if progress is not None:
                progress(stage, done, total)

        try:
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
            outcome.refused[kind] = error
    if progress is not None:
        progress("finish the bundle", len(kinds), len(kinds))
    return outcome


def _needs_capture(kind: Format, source: Source) -> bool:
    return kind is Format.PT2 or (kind in (Format.ONNX, Format.C, Format.JS, Format.SQL) and source.affine is None)


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
