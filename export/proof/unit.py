"""The unit of rounding of a module's arithmetic."""

import numpy as np
import torch

from export.source.source import Source


def coarsest_unit(source: Source) -> float:
    """Return the largest eps among the dtypes of floating parameters, buffers and inputs."""
    tensors = [*source.module.parameters(), *source.module.buffers()]
    dtypes = [tensor.dtype for tensor in tensors if tensor.is_floating_point()]
    units = [torch.finfo(dtype).eps for dtype in dtypes]
    units += [float(np.finfo(entry.dtype).eps) for entry in source.inputs if entry.dtype.kind == "f"]
    return max(units, default=float(np.finfo(np.float32).eps))


def advice_on_accuracy(source: Source, unit: float) -> str:
    """Return advice on how to make the module's arithmetic more accurate."""
    tensors = [*source.module.parameters(), *source.module.buffers()]
    given = any(tensor.is_floating_point() for tensor in tensors) or any(e.dtype.kind == "f" for e in source.inputs)
    if not given or unit <= torch.finfo(torch.float64).eps:
        return "let forward compute in float64"
    return "use --dtype " + ("float32" if unit > torch.finfo(torch.float32).eps else "float64")
