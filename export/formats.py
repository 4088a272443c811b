"""The formats: their names, their files, and what each is for."""

from enum import StrEnum


class Format(StrEnum):
    """What a module can be exported to."""

    ONNX = "onnx"
    TORCHSCRIPT = "torchscript"


FILE_NAMES = {
    Format.ONNX: "model.onnx",
    Format.TORCHSCRIPT: "model.torchscript",
}

PURPOSES = {
    Format.ONNX: "every runtime that reads ONNX: C, C++, Node, a browser; no Python and no torch",
    Format.TORCHSCRIPT: "C++ with libtorch; deprecated in torch",
}
