"""Load the bytes of an artifact of any format."""

from export.formats.names import Format
from export.runners.base import Runner


def load_runner(kind: Format, name: str, data: bytes) -> Runner:
    """Load the bytes of an artifact; all but those of ONNX are programs, and must be trusted.

    Raises:
        ModelError: they cannot be loaded.
    """
    if kind is Format.ONNX:
        from export.runners.onnxruntime import onnxruntime_runner

        return onnxruntime_runner(name, data)
    if kind is Format.C:
        from export.runners.c import c_runner

        return c_runner(name, data)
    from export.runners.torch import pt2_runner, torchscript_runner

    return pt2_runner(name, data) if kind is Format.PT2 else torchscript_runner(name, data)
