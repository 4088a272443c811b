"""Tensors as arrays, whatever their dtype."""

from typing import Any

import torch
from numpy.typing import NDArray
from torch import Tensor

NUMPY_DTYPES = frozenset(
    {
        torch.bool,
        torch.uint8,
        torch.uint16,
        torch.uint32,
        torch.uint64,
        torch.int8,
        torch.int16,
        torch.int32,
        torch.int64,
        torch.float16,
        torch.float32,
        torch.float64,
        torch.complex64,
        torch.complex128,
    }
)
"""Those of torch that NumPy has, too."""


def bits_of(tensor: Tensor) -> NDArray[Any]:
    """The numbers of a tensor, from any device; where NumPy has no such dtype (bfloat16), its bits as whole numbers."""
    plain = tensor.detach().cpu().resolve_conj().resolve_neg()
    if plain.dtype in NUMPY_DTYPES:
        return plain.numpy()
    return plain.contiguous().view(torch.int16 if plain.element_size() == 2 else torch.uint8).numpy()
