"""Reject modules that cannot be exported, and give the reason and the next step."""

from collections.abc import Iterator

import torch
from torch import Tensor, nn
from torch.nn.parameter import Buffer, Parameter, UninitializedBuffer, UninitializedParameter

from export.source.user_code import users_code
from linreg.errors import ExportError

PLAIN = (Tensor, Parameter, Buffer)
SCRIPTS = (torch.jit.ScriptModule, torch.jit.ScriptFunction)
ALREADY_EXPORTED = (*SCRIPTS, torch.export.ExportedProgram)
"""Modules that have already been exported or compiled."""

QUANTIZED = ("torch.ao.nn.quantized", "torch.ao.nn.intrinsic.quantized", "torch.ao.nn.sparse.quantized")
EXTRA_STATE = "_extra_state"


def check_module(module: object) -> nn.Module:
    """Check that a module can be exported, which takes Python code and named, dense tensors; return it unchanged.

    Raises:
        ExportError: the module cannot be exported.
    """
    if isinstance(module, SCRIPTS):
        raise ExportError("the module is TorchScript already; give the nn.Module that it was made from")
    if isinstance(module, torch.export.ExportedProgram):
        raise ExportError("the module is an ExportedProgram already; give the nn.Module that it was made from")
    if not isinstance(module, nn.Module):
        raise ExportError(f"got {type(module).__name__}, expected a torch.nn.Module")
    if "_modules" not in vars(module):
        raise ExportError(f"{type(module).__name__}.__init__ never calls super().__init__(); call it first")
    for name, part in module.named_modules():
        _check_part(f"its part {name!r}" if name else "the module", part)
    for name, tensor in named_tensors(module):
        if (problem := _problem(tensor)) is not None:
            raise ExportError(f"the module's {name!r} {problem}")
    _check_state(module)
    return module


def _check_part(what: str, part: nn.Module) -> None:
    kind = type(part)
    if isinstance(part, torch.jit.ScriptModule):  # torch crashes when it compiles one of these inside another
        raise ExportError(f"{what} is TorchScript already; give the nn.Module that it was made from")
    if kind.__module__.startswith(QUANTIZED):
        raise ExportError(
            f"{what} is quantized ({kind.__name__}), which not every format can hold; give the module of floating "
            "numbers that it was made from"
        )
    if kind.__module__.startswith("torch.distributed.fsdp"):
        raise ExportError(
            f"{what} is {kind.__name__}, whose parameters are spread over processes; gather a full state_dict, and "
            "give the plain module with --state-dict"
        )


def named_tensors(module: nn.Module) -> Iterator[tuple[str, Tensor]]:
    """Yield parameters and buffers by name, including buffers that are not persistent."""
    yield from module.named_parameters()
    yield from module.named_buffers()


def _problem(tensor: Tensor) -> str | None:
    """Return why a parameter or buffer cannot be exported, and the next step; None if it can."""
    if isinstance(tensor, UninitializedBuffer | UninitializedParameter):
        return (
            "is lazy and has no shape yet; give the layer its size (nn.Linear(16, 3) for nn.LazyLinear(3)), or call "
            "the module once where it is made"
        )
    if tensor.is_meta:
        return "is on the meta device, which holds no values; create the module on the CPU"
    if type(tensor) not in PLAIN:
        return (
            f"is a {type(tensor).__name__}, expected a plain tensor; give the module as it was before that conversion"
        )
    if tensor.is_quantized:
        return "is a quantized tensor; keep it in floating point: tensor.dequantize()"
    if tensor.is_nested or tensor.layout is not torch.strided:
        return f"is not dense ({str(tensor.layout).removeprefix('torch.')}); keep it as tensor.to_dense()"
    return None


def _check_state(module: nn.Module) -> None:
    """Check that the state_dict holds only parameters and buffers, because exported files do not keep anything else."""
    with users_code("the module's state_dict cannot be read"):
        state = module.state_dict()
    for name, value in state.items():
        if not isinstance(value, Tensor):
            raise ExportError(
                f"the module's state_dict holds {name!r}, a {type(value).__name__}; only tensors can be kept: make it "
                "an attribute that the constructor sets"
            )
        if name.rpartition(".")[2] == EXTRA_STATE:
            raise ExportError(
                f"the module's state_dict holds {name!r}, a tensor of get_extra_state, which TorchScript and .pt2 do "
                "not keep; make it a buffer: register_buffer"
            )
