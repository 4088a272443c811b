"""A module in float64: its outputs, also with other values of its tensors."""

import copy
import sys
from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from export.formats.quiet import reason
from export.proof.arithmetic import InFloat64, is_large
from export.source.outputs import flatten
from export.source.source import Source
from linreg.errors import ExportError, LinregError

Array = NDArray[Any]


class Float64Module:
    """Runs the module of a source in float64."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self._module = _in_float64(source.module)

    def outputs(self, inputs: tuple[Array, ...]) -> tuple[Array, ...]:
        """Return the outputs of the module.

        Raises:
            ExportError: it cannot be run in float64.
        """
        try:
            with _without_compiling(), InFloat64():  # type: ignore[no-untyped-call]
                return tuple(
                    tensor.numpy() for tensor in run_module(self._source, self._module, tuple(map(_widened, inputs)))
                )
        except LinregError:
            raise
        except Exception as error:  # an operator without float64, or whatever a user's module raises
            raise ExportError(
                f"the module cannot be run in float64, so exported files could not be verified: {reason(error)}"
            ) from error

    def outputs_with(self, inputs: tuple[Array, ...], changed: Mapping[str, Tensor]) -> tuple[Array, ...]:
        """Compute the outputs in float64 with other values for some tensors of the state_dict.

        Raises:
            ExportError: the module does not run with them.
        """
        state = self._module.state_dict()
        kept = {key: state[key].clone() for key in changed}
        try:
            for key, value in changed.items():
                state[key].copy_(value)
            return tuple(array.copy() for array in self.outputs(inputs))  # an output may be the tensor itself
        finally:
            for key, value in kept.items():
                state[key].copy_(value)

    def tensor(self, key: str) -> Tensor:
        """Return a copy of a tensor of the state_dict, in float64 if it is floating."""
        tensor: Tensor = self._module.state_dict()[key]
        return tensor.clone()

    def can_change(self, key: str) -> bool:
        """Return whether each element of a tensor has memory of its own, so that `outputs_with` can change it."""
        tensor: Tensor = self._module.state_dict()[key]
        return not is_large(tensor) and not any(
            step == 0 and size > 1 for step, size in zip(tensor.stride(), tensor.shape, strict=True)
        )


def run_module(source: Source, module: nn.Module, inputs: tuple[Array, ...]) -> tuple[Tensor, ...]:
    """Return the flat outputs of a module for copies of the inputs; what it raises is passed on."""
    with torch.inference_mode():
        return flatten(source.call(module, [torch.from_numpy(array.copy()) for array in inputs]))


def _in_float64(module: nn.Module) -> nn.Module:
    """Copy a module into float64, without a copy of its weights in their own dtype in between.

    Parameters that `InFloat64` converts in blocks keep their dtype, and share the memory of the module's.
    """
    memo: dict[int, Any] = {}
    for tensor in (*module.parameters(), *module.buffers()):
        parameter = isinstance(tensor, nn.Parameter)
        if tensor.is_floating_point() and tensor.is_leaf and (parameter or not is_large(tensor)):
            own = tensor.detach()
            wide = own if is_large(tensor) else own.to(torch.float64, copy=True)
            memo[id(tensor)] = nn.Parameter(wide, requires_grad=tensor.requires_grad) if parameter else wide
    return copy.deepcopy(module, memo)._apply(_wide)  # type: ignore[no-untyped-call,no-any-return] # as Module.double


def _wide(tensor: Tensor) -> Tensor:
    return tensor.double() if tensor.is_floating_point() and not is_large(tensor) else tensor


def _without_compiling() -> AbstractContextManager[Any]:
    """Return a context in which torch.compile and torch.cond run eagerly; compiled code would not run in float64."""
    if "torch._dynamo" not in sys.modules:
        return nullcontext()
    stance: AbstractContextManager[Any] = torch.compiler.set_stance("force_eager")
    return stance


def _widened(array: Array) -> Array:
    return array.astype(np.float64) if array.dtype.kind == "f" else array
