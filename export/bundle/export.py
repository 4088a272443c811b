"""Export a model into a bundle: the door to `write_bundle` in Python."""

import os
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from export.bundle.build import ExportOptions
from export.bundle.exportable import Exportable, Note, exportable, ignore
from export.bundle.write_bundle import Progress, write_bundle
from export.formats.names import OPSETS, READ_ONNX, Format, FormatChoice, chosen_formats, optional_formats
from export.precision import ExportPrecision
from export.proof.budget import given_budget
from export.source.fixing import Static
from linreg.arguments import as_path, as_texts
from linreg.bundle import Bundle, open_bundle
from linreg.errors import ExportError
from linreg.in_python import in_python

if TYPE_CHECKING:
    from export.bundle.exportable import Example, Exported


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
        formats: any of `onnx`, `torchscript`, `torchscript-trace`, `pt2`, `c`, `js`, `sql`, or `all`: the first
            four, and those of the others that can be written and verified here. A note says why one is left out.
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
    choices = _choices(formats)
    kinds = chosen_formats(choices)
    _check_applies(kinds, opset, prefix)
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

    outcome = write_bundle(
        chosen,
        folder,
        kinds,
        options,
        optional=optional_formats(choices),
        force=force,
        wait=wait,
        on_wait=on_wait,
        progress=progress,
    )
    for remark in outcome.remarks():
        (note or ignore)(remark)
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


def _choices(formats: str | Sequence[str]) -> list[FormatChoice]:
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
    return [FormatChoice(name) for name in names]


def _check_applies(kinds: list[Format], opset: int | None, prefix: str | None) -> None:
    if opset is not None and (isinstance(opset, bool) or opset not in OPSETS):
        raise ExportError(f"opset: got {opset!r}, expected a number from {OPSETS[0]} to {OPSETS[-1]}")
    if opset is not None and Format.ONNX not in kinds:
        raise ExportError("opset belongs to ONNX; add it to formats, or leave opset out")
    if prefix is not None and Format.C not in kinds:
        raise ExportError("prefix belongs to C source; add c to formats, or leave prefix out")
