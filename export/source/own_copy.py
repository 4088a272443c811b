"""Copy the caller's module to the CPU in eval mode, or say what prevents it."""

import copy

import torch
from torch import Tensor, nn

from export.precision import ExportPrecision
from export.source.user_code import described, users_code
from linreg.errors import ExportError

COPIED_BYTES = 2**28
"""If the parameters take more memory, a copy of the module shares it."""

REPARAMETRISED = {
    "WeightNorm": "call torch.nn.utils.remove_weight_norm on it, or use torch.nn.utils.parametrizations.weight_norm",
    "SpectralNorm": "call torch.nn.utils.remove_spectral_norm on it, or use "
    "torch.nn.utils.parametrizations.spectral_norm",
    "BasePruningMethod": "make the pruning permanent: torch.nn.utils.prune.remove",
}
"""The remedy for each torch hook that keeps a computed weight beside the parameters."""


def own_copy(module: nn.Module, precision: ExportPrecision | None) -> nn.Module:
    """Copy a module to the CPU in eval mode, so that the export does not change the caller's module.

    Args:
        module: the module to copy; it is not modified.
        precision: the dtype of floating parameters; None keeps them.

    Raises:
        ExportError: the module cannot be copied, moved to the CPU or put into eval mode.
    """
    try:
        own = copied(module)
    except Exception as error:  # whatever a module's members raise
        raise ExportError(f"the module cannot be copied: {_obstacle(module) or described(error)}") from error
    with users_code("the module cannot be moved to the CPU and put into eval mode"):
        own = own.cpu().eval()
        return own if precision is None else own.to(getattr(torch, precision))


def copied(module: nn.Module) -> nn.Module:
    """Copy a module; a copy of large parameters shares their memory, since no call may change parameters anyway."""
    parameters = [entry for entry in module.parameters() if type(entry) is nn.Parameter]
    if sum(entry.nbytes for entry in parameters) <= COPIED_BYTES:
        return copy.deepcopy(module)
    shared = {id(entry): nn.Parameter(entry.detach(), requires_grad=entry.requires_grad) for entry in parameters}
    return copy.deepcopy(module, shared)


def _obstacle(module: nn.Module) -> str | None:
    """Return which member cannot be copied, and the next step; None if every member can be copied by itself."""
    for name, part in module.named_modules():
        what = f"its part {name!r}" if name else "the module"
        for hook in part._forward_pre_hooks.values():
            for kind in type(hook).__mro__:
                if kind.__module__.startswith("torch.nn.utils") and kind.__name__ in REPARAMETRISED:
                    return f"{what} has a {type(hook).__name__} hook; {REPARAMETRISED[kind.__name__]}"
        members = {**part._buffers, **{key: value for key, value in vars(part).items() if key not in vars(nn.Module())}}
        for key, value in members.items():
            if isinstance(value, Tensor) and not value.is_leaf:
                return f"{what} keeps {key!r}, the result of a computation; keep it detached: {key}.detach()"
            try:
                copy.deepcopy(value)
            except Exception:  # whatever a member raises
                kind_name = type(value).__name__
                return (
                    f"{what} keeps {key!r}, a {kind_name} that cannot be copied; leave it out, or create it in forward"
                )
    return None
