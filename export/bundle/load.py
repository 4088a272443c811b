"""Load the bytes of an artifact: the one place that decides whether they may run, and where.

TorchScript, .pt2 and C are programs: they run only where this user made them, or says that they are trusted. An ONNX
file of somebody else's runs in a child process with limits.
"""

from export.bundle.trust import is_ours
from export.formats.names import PROGRAMS, Format
from export.runners.base import Runner
from export.runners.load import load_runner
from linreg.errors import ModelError


def load_artifact(kind: Format, name: str, data: bytes, *, trust: bool = False) -> Runner:
    """Load an artifact from the very bytes that were asked about.

    Args:
        kind: its format.
        name: for messages.
        data: its bytes.
        trust: run a program that this user did not export.

    Raises:
        ModelError: it is a foreign program, or cannot be loaded.
    """
    if not may_run(kind, data, trust=trust):
        raise ModelError(
            f"{name}: is a program that this user did not export; if you trust it, add --trust (in Python: trust=True)"
        )
    if kind is Format.ONNX and not is_ours(data):
        from export.runners.guarded import guarded_onnx_runner

        return guarded_onnx_runner(name, data)
    return load_runner(kind, name, data)


def may_run(kind: Format, data: bytes, *, trust: bool) -> bool:
    """Whether an artifact may be loaded: it is no program, this user made it, or says that it is trusted."""
    return kind not in PROGRAMS or trust or is_ours(data)
