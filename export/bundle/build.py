"""Export a module to the files of one format, without verifying them."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from export.formats import external_writer
from export.formats.external_data import SUFFIX
from export.formats.names import Format, file_name
from export.source.source import Source
from linreg.files import Contents

if TYPE_CHECKING:
    from torch.export import ExportedProgram


@dataclass(frozen=True, kw_only=True, eq=False)
class ExportOptions:
    """How files are written and verified.

    Attributes:
        opset: ONNX opset version; None uses `export.formats.onnx.DEFAULT_OPSET`.
        prefix: prefix of generated C identifiers; None uses `export.formats.c.DEFAULT_PREFIX`.
        budget_s: time for the proof of one file; infinity for every case. None: as long as capture and export took, but
            at least `export.proof.budget.LEAST_DEFAULT_S`. Has no effect on affine modules.
        keep_inputs: add the user's own inputs to the test vectors.
        module_words: the options that name the module and its inputs on the command line, for the command that a
            refusal names. Default: a placeholder for the module, and the inputs of the source.
    """

    opset: int | None = None
    prefix: str | None = None
    budget_s: float | None = None
    keep_inputs: bool = False
    module_words: tuple[str, ...] = ()


DEFAULTS = ExportOptions()


def build(
    source: Source, kind: Format, options: ExportOptions = DEFAULTS, *, program: "ExportedProgram | None" = None
) -> bytes:
    """Export a module to one format, and return the bytes of the file.

    Args:
        source: the module and its inputs.
        kind: the format.
        options: the opset and the prefix.
        program: the capture that ONNX, C, JavaScript, SQL and .pt2 share; None captures the module if needed.

    Raises:
        ExportError: the module cannot be exported to this format.
    """
    if kind is Format.ONNX:
        from export.formats.onnx import DEFAULT_OPSET, to_onnx

        return to_onnx(source, opset=options.opset or DEFAULT_OPSET, program=program)
    if kind is Format.C:
        from export.formats.c import DEFAULT_PREFIX, to_c

        return to_c(source, prefix=options.prefix or DEFAULT_PREFIX, program=program)
    if kind is Format.JS:
        from export.formats.js import to_js

        return to_js(source, program=program)
    if kind is Format.SQL:
        from export.formats.sql import to_sql

        return to_sql(source, program=program)
    if kind is Format.PT2:
        from export.formats.capture import capture
        from export.formats.pt2 import to_pt2

        return to_pt2(source, program or capture(source))
    from export.formats.torchscript import to_torchscript, to_traced_torchscript

    return to_torchscript(source) if kind is Format.TORCHSCRIPT else to_traced_torchscript(source)


def build_files(
    source: Source, kind: Format, options: ExportOptions = DEFAULTS, *, program: "ExportedProgram | None" = None
) -> dict[str, Contents]:
    """Do what `build` does, and return the contents of the file by its name, and of the second file of a large model.

    Raises:
        ExportError: the module cannot be exported to this format.
    """
    name = file_name(kind, source.precision)
    if kind is not Format.ONNX or _weights_bytes(source) <= external_writer.SINGLE_FILE_BYTES:
        return {name: build(source, kind, options, program=program)}
    from export.formats.onnx import DEFAULT_OPSET, to_onnx_files

    location = f"{name}{SUFFIX}"
    files = to_onnx_files(source, location, opset=options.opset or DEFAULT_OPSET, program=program)
    return {name: files.model} if files.weights is None else {name: files.model, location: files.weights}


def _weights_bytes(source: Source) -> int:
    if source.given is None:
        return sum(array.nbytes for array in source.state().values())
    return sum(tensor.nbytes for tensor in (*source.given.parameters(), *source.given.buffers()))
