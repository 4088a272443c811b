"""Convert tensors of any dtype to arrays."""

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
"""The dtypes that both torch and NumPy have."""


def bits_of(tensor: Tensor) -> NDArray[Any]:
    """Return the values of a tensor on any device, or its bits as integers if NumPy lacks the dtype (bfloat16)."""
    plain = tensor.detach().cpu().resolve_conj().resolve_neg()
    if plain.dtype in NUMPY_DTYPES:
        return plain.numpy()
    return plain.contiguous().view(torch.int16 if plain.element_size() == 2 else torch.uint8).numpy()
