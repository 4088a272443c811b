"""The module inside of torch.compile's, DataParallel's and AveragedModel's, which is what is exported and timed."""

from torch import nn

AROUND = ("DataParallel", "DistributedDataParallel", "AveragedModel")
"""Classes of torch whose forward does no more than to call `module`, on one device at least."""


def unwrap(module: nn.Module) -> tuple[nn.Module, tuple[str, ...]]:
    """The module inside, whose state_dict has the plain keys, and what stood around it, the outermost first."""
    around = []
    while (found := _inside(module)) is not None:
        name, module = found
        around.append(name)
    return module, tuple(around)


def _inside(module: nn.Module) -> tuple[str, nn.Module] | None:
    # By name, since the class of torch.compile stands in torch._dynamo, which takes long to import.
    kinds = {kind.__name__ for kind in type(module).__mro__ if kind.__module__.startswith("torch.")}
    if "OptimizedModule" in kinds:
        name, inside = "torch.compile", module._modules["_orig_mod"]
    elif kinds & set(AROUND):
        name, inside = type(module).__name__, module._modules["module"]
    else:
        return None
    return None if inside is None else (name, inside)
