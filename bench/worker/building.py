"""Make the runner of a variant from an artifact or from the user's code, without sharing a module with another row."""

from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bench.plan.own_variants import load_factory
from bench.plan.subject import Subject
from bench.plan.variants import Device, Kind, Variant
from linreg.config import MAX_STATE_BYTES
from linreg.errors import LinregError
from linreg.files import read_bytes

if TYPE_CHECKING:
    import torch

    from export.runners.base import Runner


def build(variant: Variant, subject: Subject, folder: Path, *, device: Device, threads: int) -> "Runner":
    """Make the runner of a variant.

    Args:
        variant: the row to build.
        subject: model that loads the module of a row that needs one.
        folder: the work folder, which has the artifacts.
        device: device of the runner.
        threads: ONNX Runtime threads; torch's threads are set for the whole process elsewhere.

    Raises:
        LinregError: the runner cannot be built.
    """
    if variant.kind is Kind.FLOOR:
        return _floor(variant.name)
    if variant.kind is Kind.FACTORY:
        return _made(variant)
    if variant.of_onnxruntime:
        return _onnxruntime(variant, folder, device=device, threads=threads)
    return _torch(variant, subject, folder, device)


def nothing() -> None:
    """Do nothing; this is the call that the floor row times."""


def _floor(name: str) -> "Runner":
    from export.runners.base import Call, Runner

    call = Call(run=nothing, outputs=lambda: (), context=nullcontext)
    return Runner(name=name, bind=lambda _inputs: call, parameters=dict)


def _made(variant: Variant) -> "Runner":
    """Call the user's function, and return the runner that it makes."""
    from export.runners.base import Runner
    from export.source.factory import call_factory
    from export.source.place import find_place

    found = find_place(variant.file, "--variant", "a function that returns a Runner")
    made = call_factory(load_factory(variant.file), found, option="--variant")
    if not isinstance(made, Runner):
        raise LinregError(
            f"{variant.file}: returns {type(made).__name__}, expected a Runner; for a torch module, compiled or not, "
            "return export.runners.torch.torch_runner(name, module)"
        )
    return made


def _onnxruntime(variant: Variant, folder: Path, *, device: Device, threads: int) -> "Runner":
    from export.formats.external_data import read_external_data
    from export.runners.onnxruntime import onnxruntime_runner

    data = _data(variant, folder)
    return onnxruntime_runner(
        variant.file,
        data,
        external=read_external_data(folder / variant.file, data),
        threads=threads,
        io_binding=variant.kind is Kind.ONNXRUNTIME_IO_BINDING,
        device=device.value,
        optimisation=variant.onnx_optimization,
    )


def _torch(variant: Variant, subject: Subject, folder: Path, device: Device) -> "Runner":
    from export.formats.names import Format
    from export.runners.torch import pt2_runner, torch_runner, torchscript_runner
    from export.runners.trust import Trust, trusted_bytes

    match variant.kind:
        case Kind.TORCHSCRIPT | Kind.TORCHSCRIPT_FROZEN:
            program = trusted_bytes(Format.TORCHSCRIPT, variant.file, _data(variant, folder), Trust.MADE_HERE)
            frozen = variant.kind is Kind.TORCHSCRIPT_FROZEN
            return torchscript_runner(variant.file, program, variant.mode, device=device.value, frozen=frozen)
        case Kind.PT2:
            program = trusted_bytes(Format.PT2, variant.file, _data(variant, folder), Trust.MADE_HERE)
            return pt2_runner(variant.file, program, variant.mode)
    module = subject.module_itself().to(device.value)
    arguments = subject.arguments_of_forward(module)
    if variant.kind is Kind.COMPILE:
        return torch_runner(variant.name, module, variant.mode, call=_compiled(module), arguments=arguments)
    if variant.kind is Kind.EAGER:
        return torch_runner(variant.name, module, variant.mode, arguments=arguments)
    from bench.worker import cuda

    make = {
        Kind.CUDA_GRAPH: cuda.graph_runner,
        Kind.COPY_TO_DEVICE: cuda.copy_to_device_runner,
        Kind.COPY_FROM_DEVICE: cuda.copy_from_device_runner,
    }
    return make[variant.kind](variant.name, module, arguments)


def _compiled(module: "torch.nn.Module") -> Callable[..., Any]:
    import torch

    compiled: Callable[..., Any] = torch.compile(module, dynamic=False)
    return compiled


def _data(variant: Variant, folder: Path) -> bytes:
    """Read a file of the work folder, which holds only files that the parent process made or trusted."""
    return read_bytes(folder / variant.file, limit=MAX_STATE_BYTES)
