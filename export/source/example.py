"""Derive the inputs of a module from example tensors."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from export.source.axes import BATCH
from export.source.forward import argument_names
from export.source.input_text import DTYPES
from export.source.inputs import Input
from linreg.errors import ExportError


def inputs_of_example(module: nn.Module, example: Sequence[Tensor], *, static: bool) -> tuple[Input, ...]:
    """Return one input per tensor, with its dtype, its shape and the name of its argument of forward.

    Args:
        module: the module whose forward takes the tensors, in their order.
        example: the tensors; the first axis of each is the batch axis.
        static: fix the batch size to that of the example; otherwise the batch is dynamic.

    Raises:
        ExportError: a value is not a dense tensor, has no axis, is empty or has an unsupported dtype, or the tensors
            have different batch sizes.
    """
    arrays = [_array(place, tensor) for place, tensor in enumerate(example)]
    sizes = [array.shape[0] for array in arrays]
    if not static and len(set(sizes)) > 1:
        raise ExportError(
            f"example: the first axes of the tensors are {', '.join(map(str, sizes))}, expected one batch "
            "size; or fix every shape with static=True"
        )
    return tuple(
        Input(
            name=name,
            dtype=array.dtype,
            shape=array.shape if static else (BATCH, *array.shape[1:]),
            below=_limit(array),
        )
        for name, array in zip(argument_names(module, len(arrays)), arrays, strict=True)
    )


def rows_of_example(example: Sequence[Tensor]) -> NDArray[Any]:
    """Return the values of a single example tensor, on which the exported files are also verified."""
    (tensor,) = example
    return _array(0, tensor)


def _array(place: int, tensor: object) -> NDArray[Any]:
    if not isinstance(tensor, Tensor):
        raise ExportError(f"example: item {place} is {type(tensor).__name__}, expected a torch.Tensor")
    dtype = str(tensor.dtype).removeprefix("torch.")
    if dtype not in DTYPES:
        raise ExportError(f"example: tensor {place} is {dtype}, expected one of {', '.join(DTYPES)}")
    if tensor.layout is not torch.strided or tensor.is_meta:
        raise ExportError(f"example: tensor {place} is not dense; give a dense tensor")
    if 0 in tensor.shape or not tensor.ndim:
        raise ExportError(
            f"example: tensor {place} has shape {list(tensor.shape)}, expected the batch as its first axis and no "
            "axis of size 0, such as torch.randn(2, 16)"
        )
    array: NDArray[Any] = tensor.detach().cpu().resolve_neg().numpy()
    return array


def _limit(array: NDArray[Any]) -> int:
    """Return the exclusive upper limit for random integers: no larger ones than those in the example are drawn."""
    return 2 if array.dtype.kind not in "iu" else max(1, int(np.max(array)) + 1)
