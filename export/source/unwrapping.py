"""Remove the wrappers of torch.compile, DataParallel and AveragedModel; the inner module is exported and timed."""

from torch import nn

AROUND = ("DataParallel", "DistributedDataParallel", "AveragedModel")
"""Classes of torch whose forward only calls `module`, at least on one device."""


def unwrap(module: nn.Module) -> tuple[nn.Module, tuple[str, ...]]:
    """Return the inner module, whose state_dict keys have no prefix, and the names of its wrappers, outermost first."""
    around = []
    while (found := _inside(module)) is not None:
        name, module = found
        around.append(name)
    return module, tuple(around)


def _inside(module: nn.Module) -> tuple[str, nn.Module] | None:
    # By name, since the class of torch.compile is in torch._dynamo, which is slow to import.
    kinds = {kind.__name__ for kind in type(module).__mro__ if kind.__module__.startswith("torch.")}
    if "OptimizedModule" in kinds:
        name, inside = "torch.compile", module._modules["_orig_mod"]
    elif kinds & set(AROUND):
        name, inside = type(module).__name__, module._modules["module"]
    else:
        return None
    return None if inside is None else (name, inside)
