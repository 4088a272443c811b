"""The formats: their names, their files, and what each is for."""

from enum import StrEnum


class Format(StrEnum):
    """What a module can be exported to."""

    ONNX = "onnx"
    TORCHSCRIPT = "torchscript"
    TORCHSCRIPT_TRACE = "torchscript-trace"
    PT2 = "pt2"


class FormatChoice(StrEnum):
    """What `--format` takes: a format, or all of them."""

    ONNX = "onnx"
    TORCHSCRIPT = "torchscript"
    TORCHSCRIPT_TRACE = "torchscript-trace"
    PT2 = "pt2"
    ALL = "all"


class Precision(StrEnum):
    """The dtype of an artifact's parameters."""

    FLOAT16 = "float16"
    FLOAT32 = "float32"
    FLOAT64 = "float64"
    BFLOAT16 = "bfloat16"


SUFFIXES = {
    Format.ONNX: ".onnx",
    Format.TORCHSCRIPT: ".torchscript",
    Format.TORCHSCRIPT_TRACE: ".traced.torchscript",
    Format.PT2: ".pt2",
}

PURPOSES = {
    Format.ONNX: "every runtime that reads ONNX: C, C++, Node, a browser; no Python and no torch",
    Format.TORCHSCRIPT: "C++ with libtorch, control flow kept; deprecated in torch, its successor is pt2",
    Format.TORCHSCRIPT_TRACE: "the same from one recorded call, without control flow; deprecated as well",
    Format.PT2: "torch.export's own format, for Python and AOTInductor",
}

PROGRAMS = frozenset({Format.TORCHSCRIPT, Format.TORCHSCRIPT_TRACE, Format.PT2})
"""Formats whose files are programs: loading one may run anything."""


def chosen_formats(choices: list[FormatChoice]) -> list[Format]:
    """The formats of a choice, each once, in the order given."""
    if FormatChoice.ALL in choices:
        return list(Format)
    return list(dict.fromkeys(Format(choice.value) for choice in choices))


def file_name(kind: Format, precision: Precision | None = None) -> str:
    """The file of a format in a bundle; a precision other than the model's own stands in the name."""
    return f"model{'' if precision is None else f'.{precision}'}{SUFFIXES[kind]}"


def format_of(name: str) -> tuple[Format, Precision | None] | None:
    """The format and precision of a bundle's file, or None where it is no artifact."""
    for kind in Format:
        for precision in (None, *Precision):
            if name == file_name(kind, precision):
                return kind, precision
    return None
