"""The rows of a report. A row is a runner in a call mode; the process that times it builds it on its own module.

Sharing one module would change the ratios: torch.jit.script(m) makes the eager m about 3 % faster. A variant describes
a row and is sent to another process as JSON, where bench/worker/building.py makes the runner.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from enum import StrEnum

from export.formats.names import Format, file_name
from export.runners.base import CallMode
from linreg.config import REFERENCE_ROW

REFERENCE = REFERENCE_ROW

AGAINST = "against"
"""Name of the row with another bundle's artifact, and of the subject whose outputs it must give."""

NULL = "null"
FLOOR = "floor"


class Device(StrEnum):
    """The device that a row runs on."""

    CPU = "cpu"
    CUDA = "cuda"


class Kind(StrEnum):
    """What a row calls."""

    EAGER = "eager"
    TORCHSCRIPT = "torchscript"
    TORCHSCRIPT_FROZEN = "torchscript-frozen"
    COMPILE = "compile"
    PT2 = "pt2"
    CUDA_GRAPH = "cuda-graph"
    COPY_TO_DEVICE = "copy-to-device"
    COPY_FROM_DEVICE = "copy-from-device"
    ONNXRUNTIME_RUN = "onnxruntime-run"
    ONNXRUNTIME_IO_BINDING = "onnxruntime-io_binding"
    FACTORY = "factory"
    FLOOR = "floor"


class Origin(StrEnum):
    """Where the file of a row comes from."""

    BUNDLE = "bundle"
    REBUILT = "rebuilt"


WITHOUT_OUTPUTS = frozenset({Kind.FLOOR, Kind.COPY_TO_DEVICE, Kind.COPY_FROM_DEVICE})
"""Rows that show the cost of a call or a copy alone: they have no outputs and get no verdict."""

NEEDS_TORCH = frozenset(Kind) - {Kind.ONNXRUNTIME_RUN, Kind.ONNXRUNTIME_IO_BINDING, Kind.FLOOR, Kind.FACTORY}


ONNX_LEVELS = ("all", "basic", "disabled")
"""onnxruntime's levels of graph optimisation; the first is its default."""


@dataclass(frozen=True, kw_only=True)
class Variant:
    """The description of one row.

    Attributes:
        name: name in the report, where it is unique.
        kind: what the row calls.
        mode: how a torch module is called.
        file: name of the artifact in the work folder; for a factory, `FILE.py:NAME`; empty without a file.
        subject: name of the subject whose outputs the row must give.
        origin: whether the file came from the bundle or was rebuilt from the weights; None if there is no file.
        skipped: why the row cannot run here; empty if it can.
        onnx_optimization: for a row of onnxruntime, its level of graph optimisation.
    """

    name: str
    kind: Kind
    mode: CallMode = CallMode.INFERENCE_MODE
    file: str = ""
    subject: str = "model"
    origin: Origin | None = None
    skipped: str = ""
    onnx_optimization: str = ONNX_LEVELS[0]

    @property
    def of_onnxruntime(self) -> bool:
        """Whether onnxruntime runs the row."""
        return self.kind in (Kind.ONNXRUNTIME_RUN, Kind.ONNXRUNTIME_IO_BINDING)


def eager_variants() -> list[Variant]:
    """Return the eager rows in five call modes; the context is entered once around all calls, or within each call."""
    modes = (
        CallMode.INFERENCE_MODE,
        CallMode.NO_GRAD,
        CallMode.GRAD,
        CallMode.INFERENCE_MODE_PER_CALL,
        CallMode.NO_GRAD_PER_CALL,
    )
    return [Variant(name=f"eager-{mode}", kind=Kind.EAGER, mode=mode) for mode in modes]


def _torch_variants(*, compiled: bool) -> list[Variant]:
    """Return the torch rows that every device has."""
    scripted, traced = file_name(Format.TORCHSCRIPT), file_name(Format.TORCHSCRIPT_TRACE)
    return [
        *eager_variants(),
        Variant(name="torchscript", kind=Kind.TORCHSCRIPT, file=scripted),
        Variant(name="torchscript-frozen", kind=Kind.TORCHSCRIPT_FROZEN, file=scripted),
        Variant(name="torchscript-trace", kind=Kind.TORCHSCRIPT, file=traced),
        *([Variant(name="compile", kind=Kind.COMPILE)] if compiled else []),
    ]


def cpu_variants(*, compiled: bool = False) -> list[Variant]:
    """Return every row for the CPU; torch.compile is optional, since its first call takes many seconds."""
    return [
        *_torch_variants(compiled=compiled),
        Variant(name="pt2", kind=Kind.PT2, file=file_name(Format.PT2)),
        Variant(name="onnxruntime-run", kind=Kind.ONNXRUNTIME_RUN, file=file_name(Format.ONNX)),
        Variant(name="onnxruntime-io_binding", kind=Kind.ONNXRUNTIME_IO_BINDING, file=file_name(Format.ONNX)),
        Variant(name=FLOOR, kind=Kind.FLOOR),
    ]


def against_variants(kind: Format, level: str = ONNX_LEVELS[0]) -> list[Variant]:
    """Return rows for two artifacts of one format: another bundle's, which is the reference, and this model's.

    Args:
        kind: format of the artifacts.
        level: onnxruntime's level of graph optimisation, at which both run.
    """
    how = {Format.ONNX: Kind.ONNXRUNTIME_RUN, Format.PT2: Kind.PT2}.get(kind, Kind.TORCHSCRIPT)
    return [
        Variant(name=AGAINST, kind=how, file=f"{AGAINST}-{file_name(kind)}", subject=AGAINST, onnx_optimization=level),
        Variant(name="this", kind=how, file=file_name(kind), onnx_optimization=level),
        Variant(name=FLOOR, kind=Kind.FLOOR),
    ]


def cuda_variants(*, compiled: bool = False) -> list[Variant]:
    """Return every row for CUDA; the inputs are already on the device, and separate rows time the copies."""
    return [
        *_torch_variants(compiled=compiled),
        Variant(name="cuda-graph", kind=Kind.CUDA_GRAPH),
        Variant(name="onnxruntime-io_binding", kind=Kind.ONNXRUNTIME_IO_BINDING, file=file_name(Format.ONNX)),
        Variant(name="copy-to-device", kind=Kind.COPY_TO_DEVICE),
        Variant(name="copy-from-device", kind=Kind.COPY_FROM_DEVICE),
        Variant(name=FLOOR, kind=Kind.FLOOR),
    ]


def at_levels(rows: Iterable[Variant], levels: Iterable[str]) -> list[Variant]:
    """Return rows with one row of onnxruntime for each level of graph optimisation, which ends its name.

    The default level is not named.
    """
    found = []
    for row in rows:
        for level in levels if row.of_onnxruntime else ONNX_LEVELS[:1]:
            name = row.name if level == ONNX_LEVELS[0] else f"{row.name}-{level}"
            found.append(replace(row, name=name, onnx_optimization=level))
    return found
