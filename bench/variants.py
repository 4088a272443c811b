"""The rows of a report: a runner in a call mode, each built from disk on a module of its own.

Sharing one module would change the ratios: torch.jit.script(m) makes the eager m some 3 % faster.
"""

from collections.abc import Callable
from dataclasses import dataclass

from export.artifacts import build
from export.formats import PROGRAMS, Format, file_name
from export.runners import CallMode, Runner, onnxruntime_runner, torch_runner, torchscript_runner
from export.source import Source, from_checkpoint
from export.trust import is_ours
from linreg.checkpoint import Checkpoint, load
from linreg.config import MAX_STATE_BYTES
from linreg.files import read_bytes

NULL = "null (reference again)"
REFERENCE = "eager inference_mode"


@dataclass(frozen=True, kw_only=True)
class Variant:
    """One row: a name, and how to build its runner from nothing that another row uses."""

    name: str
    build: Callable[[], Runner]


def cpu_variants(checkpoint: Checkpoint, *, threads: int = 1) -> list[Variant]:
    """Eager in three call modes, the null row, scripted, and ONNX Runtime in two call modes."""
    path = checkpoint.path

    def eager(mode: CallMode) -> Callable[[], Runner]:
        return lambda: torch_runner(f"eager {mode}", load(path).model, mode)

    def onnx(io_binding: bool) -> Callable[[], Runner]:
        return lambda: onnxruntime_runner(
            file_name(Format.ONNX), _artifact(checkpoint, Format.ONNX), threads=threads, io_binding=io_binding
        )

    def scripted() -> Runner:
        return torchscript_runner(file_name(Format.TORCHSCRIPT), _artifact(checkpoint, Format.TORCHSCRIPT))

    return [
        Variant(name=REFERENCE, build=eager(CallMode.INFERENCE_MODE)),
        Variant(name=NULL, build=eager(CallMode.INFERENCE_MODE)),
        Variant(name="eager no_grad", build=eager(CallMode.NO_GRAD)),
        Variant(name="eager grad", build=eager(CallMode.GRAD)),
        Variant(name="torchscript", build=scripted),
        Variant(name="onnxruntime run", build=onnx(False)),
        Variant(name="onnxruntime io_binding", build=onnx(True)),
    ]


def fresh_source(checkpoint: Checkpoint) -> Source:
    """A source on a module of its own."""
    return from_checkpoint(load(checkpoint.path))


def _artifact(checkpoint: Checkpoint, kind: Format) -> bytes:
    """The bundle's artifact, or the same made in memory: where it has none, or holds a program that is not ours."""
    path = checkpoint.path.parent / file_name(kind)
    if path.is_file():
        data = read_bytes(path, limit=MAX_STATE_BYTES)
        if kind not in PROGRAMS or is_ours(data):
            return data
    return build(fresh_source(checkpoint), kind)
