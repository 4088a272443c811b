"""Copy a module into float64."""

import copy
from typing import Any

import torch
from torch import Tensor, nn

from export.proof.arithmetic import is_large


def in_float64(module: nn.Module) -> nn.Module:
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
