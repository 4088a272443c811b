"""Unwrap torch.compile, DataParallel and AveragedModel; the module inside is what is exported and timed."""

from torch import nn

AROUND = ("DataParallel", "DistributedDataParallel", "AveragedModel")
"""torch classes whose forward, on a single device, only calls `module`."""


def unwrap(module: nn.Module) -> tuple[nn.Module, tuple[str, ...]]:
    """Return the module inside, whose state_dict has plain keys, and the names of its wrappers, outermost first."""
    around = []
    while (found := _inside(module)) is not None:
        name, module = found
        around.append(name)
    return module, tuple(around)


def _inside(module: nn.Module) -> tuple[str, nn.Module] | None:
    # By name, because the class of torch.compile is in torch._dynamo, which is slow to import.
    kinds = {kind.__name__ for kind in type(module).__mro__ if kind.__module__.startswith("torch.")}
    if "OptimizedModule" in kinds:
        name, inside = "torch.compile", module._modules["_orig_mod"]
    elif kinds & set(AROUND):
        name, inside = type(module).__name__, module._modules["module"]
    else:
        return None
    return None if inside is None else (name, inside)
