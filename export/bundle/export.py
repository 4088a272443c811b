"""Export a model into a bundle: write and verify every format, then write the manifest."""

import os
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from export.bundle.build import ExportOptions
from export.bundle.contents import make_room, record, renew_vectors
from export.bundle.exportable import Exportable, Note, exportable, ignore
from export.bundle.write import Artifact, make_artifact
from export.formats.names import OPSETS, READ_ONNX, Format, FormatChoice, chosen_formats
from export.precision import ExportPrecision
from export.proof.affine import load_eager
from export.proof.budget import given_budget
from export.source.fixing import Static
from export.source.source import Source
from linreg.arguments import as_path, as_texts
from linreg.bundle import Bundle, open_bundle
from linreg.changes import Changes, changing
from linreg.config import CARD_FILE, MODEL_FILE
from linreg.errors import ExportError, LinregError
from linreg.folders import ensure_folder
from linreg.in_python import in_python

if TYPE_CHECKING:
    from torch.export import ExportedProgram

    from export.bundle.exportable import Example, Exported

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


@in_python
def export(
    model: "Exported",
    folder: str | os.PathLike[str],
    *,
    formats: str | Sequence[str] = ("onnx",),
    inputs: str | Sequence[str] | None = None,
    example: "Example | None" = None,
    input_names: str | Sequence[str] = (),
    output_names: str | Sequence[str] = (),
    opset: int | None = None,
    prefix: str | None = None,
    dtype: str | None = None,
    static: "Static" = False,  # quoted: help() shows the name
    units: Mapping[str, str] | None = None,
    data: str | os.PathLike[str] | None = None,
    budget: str | None = None,
    keep_inputs: bool = False,
    force: bool = False,
    wait: bool = False,
    progress: Progress | None = None,
    note: Note | None = None,
) -> Bundle:
    """Export a model into a bundle, and keep only files whose outputs match the float64 oracle.

    Args:
        model: a bundle or .pth file of `linreg train`, a fitted model, or any torch.nn.Module. A module is copied; the
            copy is exported in eval mode.
        folder: the folder of the bundle, created if needed. Unless it is the model's own bundle, the state_dict and the
            card are also written to it.
        formats: any of `onnx`, `torchscript`, `torchscript-trace`, `pt2`, `c`, or `all` for all but `c`.
        inputs: the inputs of a module, one string such as `x=float32[batch,16]` per argument of forward; a single
            string needs no list.
        example: the inputs of a module as tensors: one, several in the order of forward's arguments, a dict by their
            names, or a list of such tuples and dicts. Files are also verified on their values, and the module is
            captured with them. Without `inputs`, they give the dtypes and shapes, and the first axis of each becomes
            the dynamic batch.
        keep_inputs: add `example` to the test vectors of the bundle, which others may read.
        input_names: names of the graph's inputs. Default: those of forward's arguments, or `input` for a trained model.
        output_names: names of the graph's outputs. Default: `output`, or the keys or fields of what forward returns.
        opset: ONNX opset version. Default: 18.
        prefix: prefix of generated C identifiers. Default: `linreg`.
        dtype: dtype of the exported parameters, which becomes part of the file names. Default: the model's dtype.
        static: fix dynamic axes: True for all of them, a name such as `"h"`, several, or sizes by name such as
            `{"h": 224}`. Without a size, an axis gets the smallest of its range, and the batch that of `example`, or 1.
        units: for a trained model, the unit of each column, by column name; written to the metadata.
        data: for a trained model, a table on whose rows the files are also verified.
        budget: time for the proof of each file of a module that is not affine, such as `60s` or `2m`, or `all` for
            every case. The least is proved whatever it takes; the manifest lists what was not tried. Default: as long
            as capture and export took, but at least 10 s.
        force: overwrite files that the bundle's manifest does not list, and replace another model.
        wait: wait for another linreg command that is writing to the folder, instead of failing.
        progress: called as `progress(stage, done, total)` as each stage begins.
        note: called with each remark for the user.

    Raises:
        ExportError: an argument does not apply, or the module cannot be exported to a format. In the latter case the
            other formats are written first.
        MismatchError: the outputs of a file differ from the float64 oracle; that file is not kept.
        ModelError: the model cannot be loaded.
        LinregError: the folder cannot be written, or user files would be overwritten.

    Example:
        >>> import linreg, torch
        >>> module = torch.nn.Sequential(torch.nn.Linear(16, 32), torch.nn.ReLU(), torch.nn.Linear(32, 3))
        >>> bundle = linreg.export(module, "net", inputs="x=float32[batch,16]", formats=["onnx", "torchscript"])
        >>> sorted(entry.name for entry in bundle.manifest.files if entry.proof)
        ['model.onnx', 'model.torchscript']
        >>> bundle = linreg.export(module, "same", example=(torch.randn(2, 16),))
    """
    kinds = _formats(formats, opset, prefix)
    folder = as_path("folder", folder)
    budget_s = given_budget(budget)
    chosen = exportable(
        model,
        folder,
        inputs=inputs,
        example=example,
        input_names=as_texts("input_names", input_names),
        output_names=as_texts("output_names", output_names),
        precision=None if dtype is None else ExportPrecision(dtype),
        static=static,
        units=units,
        data=None if data is None else as_path("data", data),
        note=note or ignore,
    )
    options = ExportOptions(opset=opset, prefix=prefix, budget_s=budget_s, keep_inputs=keep_inputs)
    check_options(chosen, options)

    def on_wait(holder: str) -> None:
        if note is not None:
            note(f"waiting for {holder}")

    outcome = write_bundle(chosen, folder, kinds, options, force=force, wait=wait, on_wait=on_wait, progress=progress)
    outcome.raise_refused()
    return open_bundle(folder)


def check_options(chosen: Exportable, options: ExportOptions) -> None:
    """Refuse options that have no effect.

    Raises:
        ExportError: there is a budget for an affine module, or inputs are to be kept and there are none, or only one
            shape is valid.
    """
    if options.keep_inputs and not chosen.source.own:
        raise ExportError("--keep-inputs: there are no inputs of your own to keep; give them with --inputs")
    if options.keep_inputs and chosen.source.static:
        raise ExportError("--keep-inputs: with --static there is one test vector, of random values; leave one out")
    if options.budget_s is not None and chosen.source.affine is not None:
        raise ExportError("budget: has no effect on an affine module, whose proof is always complete; leave it out")


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


def _formats(formats: str | Sequence[str], opset: int | None, prefix: str | None) -> list[Format]:
    expected = f"expected any of {', '.join(FormatChoice)}"
    try:
        names = [formats] if isinstance(formats, str) else list(formats)
    except TypeError:
        raise ExportError(f"formats: got {formats!r}, {expected}") from None
    if not names:
        raise ExportError(f"formats: got none, {expected}")
    for name in names:
        if name not in list(FormatChoice):
            hint = f"; a converter to {name} reads ONNX" if str(name).lower() in READ_ONNX.split() else ""
            raise ExportError(f"formats: got {str(name)[:60]!r}, {expected}{hint}")
    kinds = chosen_formats([FormatChoice(name) for name in names])
    if opset is not None and (isinstance(opset, bool) or opset not in OPSETS):
        raise ExportError(f"opset: got {opset!r}, expected a number from {OPSETS[0]} to {OPSETS[-1]}")
    if opset is not None and Format.ONNX not in kinds:
        raise ExportError("opset belongs to ONNX; add it to formats, or leave opset out")
    if prefix is not None and Format.C not in kinds:
        raise ExportError("prefix belongs to C source; add c to formats, or leave prefix out")
    return kinds
