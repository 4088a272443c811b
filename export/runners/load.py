"""Load an artifact of any format."""

from export.formats.external_data import ExternalData
from export.formats.names import Format
from export.runners.base import Runner
from export.runners.ledger import is_ours
from export.runners.trust import Trust, trusted_bytes


def load_artifact(
    kind: Format,
    name: str,
    data: bytes,
    trust: Trust,
    optimisation: str = "all",
    *,
    external: ExternalData | None = None,
) -> Runner:
    """Load an artifact, if it may be loaded.

    An ONNX model that this user did not export runs in a child process with limits, whatever `trust` says.

    Args:
        kind: the format of the artifact.
        name: the name used in messages.
        data: the bytes of the artifact.
        trust: why a program may be loaded.
        optimisation: onnxruntime's graph optimisation, `all` or `disabled`; other formats have none.
        external: the checked contents of the second file of an ONNX model. onnxruntime does not prepack such weights
            here: with a copy in its own order, a large model would take twice its memory.

    Raises:
        UntrustedError: the artifact is a program that this user did not export.
        ModelError: the artifact cannot be loaded.
        LinregError: the artifact is C source, and there is no compiler, or JavaScript, and there is no Node.js.
    """
    program = trusted_bytes(kind, name, data, trust)
    match kind:
        case Format.ONNX if trust is Trust.MADE_HERE or is_ours(data):
            from export.runners.onnxruntime import onnxruntime_runner

            return onnxruntime_runner(
                name, data, optimisation=optimisation, external=external, prepack=external is None
            )
        case Format.ONNX:
            from export.runners.guarded import guarded_onnx_runner

            return guarded_onnx_runner(name, data, external=external, optimisation=optimisation)
        case Format.C:
            from export.runners.c import c_runner

            return c_runner(name, program)
        case Format.JS:
            from export.runners.js import js_runner

            return js_runner(name, program)
        case Format.SQL:
            from export.runners.sqlite import sql_runner

            return sql_runner(name, program)
        case Format.PT2:
            from export.runners.torch import pt2_runner

            return pt2_runner(name, program)
        case Format.TORCHSCRIPT | Format.TORCHSCRIPT_TRACE:
            from export.runners.torch import torchscript_runner

            return torchscript_runner(name, program)
