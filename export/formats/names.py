"""The formats: their names and their files."""

from enum import StrEnum
from pathlib import PurePath

from export.precision import ExportPrecision


class Format(StrEnum):
    """A format that a module can be exported to."""

    ONNX = "onnx"
    TORCHSCRIPT = "torchscript"
    TORCHSCRIPT_TRACE = "torchscript-trace"
    PT2 = "pt2"
    C = "c"
    JS = "js"
    SQL = "sql"


class FormatChoice(StrEnum):
    """A value accepted by `--format`: one format, or `all`."""

    ONNX = "onnx"
    TORCHSCRIPT = "torchscript"
    TORCHSCRIPT_TRACE = "torchscript-trace"
    PT2 = "pt2"
    C = "c"
    JS = "js"
    SQL = "sql"
    ALL = "all"


SUFFIXES = {
    Format.ONNX: ".onnx",
    Format.TORCHSCRIPT: ".torchscript",
    Format.TORCHSCRIPT_TRACE: ".traced.torchscript",
    Format.PT2: ".pt2",
    Format.C: ".c",
    Format.JS: ".mjs",
    Format.SQL: ".sql",
}

RUNTIME_FORMATS = (Format.ONNX, Format.TORCHSCRIPT, Format.TORCHSCRIPT_TRACE, Format.PT2)
"""The formats that take any module, and that `bench` times."""

SOURCE_FORMATS = (Format.C, Format.JS, Format.SQL)
"""Source code, which takes feed-forward modules. Its proof may need a program: a C compiler, or Node.js."""

PROGRAMS = frozenset({Format.TORCHSCRIPT, Format.TORCHSCRIPT_TRACE, Format.PT2, Format.C, Format.JS, Format.SQL})
"""Formats whose files are programs: loading one may run any code."""


def chosen_formats(choices: list[FormatChoice]) -> list[Format]:
    """Return the chosen formats in the given order, without duplicates."""
    chosen: list[Format] = []
    for choice in choices:
        chosen += list(Format) if choice is FormatChoice.ALL else [Format(choice.value)]
    return list(dict.fromkeys(chosen))


def optional_formats(choices: list[FormatChoice]) -> frozenset[Format]:
    """Return the formats that may be left out: source code that `all` includes, and that no choice names."""
    return frozenset(SOURCE_FORMATS) - set(choices) if FormatChoice.ALL in choices else frozenset()


def file_name(kind: Format, precision: ExportPrecision | None = None) -> str:
    """Return the file name of a format in a bundle; it names the precision if that is not the model's own."""
    return f"model{'' if precision is None else f'.{precision}'}{SUFFIXES[kind]}"


def beside(kind: Format, precision: ExportPrecision | None = None) -> str | None:
    """Return the second file of a format: the header of C source, and the types of JavaScript; None for every other."""
    suffix = {Format.C: ".h", Format.JS: ".d.mts"}.get(kind)
    return None if suffix is None else str(PurePath(file_name(kind, precision)).with_suffix(suffix))


def is_of_artifact(name: str) -> bool:
    """Return whether a file of a bundle is an artifact, or the second file of source code."""
    kinds = ((kind, precision) for kind in Format for precision in (None, *ExportPrecision))
    return any(name in (file_name(*each), beside(*each)) for each in kinds)


def format_of(name: str) -> tuple[Format, ExportPrecision | None] | None:
    """Return the format and precision of a file in a bundle; None if it is not an artifact."""
    for kind in Format:
        for precision in (None, *ExportPrecision):
            if name == file_name(kind, precision):
                return kind, precision
    return None


OPSETS = range(13, 27)
"""ONNX opset versions that can be written."""

READ_ONNX = (
    "tflite litert tensorflow tf coreml mlmodel mlpackage openvino tensorrt trt engine ncnn mnn tfjs ort rknn keras "
    "savedmodel tvm executorch pte"
)
"""Formats that linreg does not write, but that other tools convert from ONNX."""
