"""Find exact arguments: values that a narrower dtype represents, in operators with one correct result."""

from typing import Any

import torch
from torch import Tensor

# fmt: off
CORRECTLY_ROUNDED = frozenset({
    "abs", "add", "ceil", "clamp", "clamp_max", "clamp_min", "copy", "div", "eq", "floor", "floor_divide", "fmod",
    "frac", "ge", "gt", "hardtanh", "le", "leaky_relu", "lt", "maximum", "minimum", "mul", "ne", "neg", "reciprocal",
    "relu", "remainder", "round", "rsub", "sgn", "sign", "sqrt", "sub", "threshold", "trunc", "where", "_to_copy",
})
"""IEEE 754 defines the result of these operators."""

MOVING = frozenset({
    "amax", "amin", "cat", "clone", "constant_pad_nd", "embedding", "expand_copy", "flip", "gather", "index",
    "index_put", "index_select", "masked_fill", "pad", "repeat", "roll", "scatter", "select_scatter", "slice_scatter",
    "stack", "tril", "triu",
})
"""These only move elements, or select among them."""

SUMS = frozenset({
    "_adaptive_avg_pool2d", "adaptive_avg_pool1d", "adaptive_avg_pool2d", "addmm", "addmv", "avg_pool1d",
    "avg_pool2d", "avg_pool3d", "baddbmm", "bmm", "conv1d", "conv2d", "conv3d", "convolution", "cumsum", "dot",
    "einsum", "linear", "matmul", "mean", "mm", "mv", "sum",
})
"""Sums of products: exact in any order if all arguments are small multiples of one unit."""
# fmt: on


HEAD = 1024
"""The number of elements of an argument that are checked before the rest."""


def name_of(func: Any) -> str:
    """Return the name of an operator, without its overload and without the trailing _ of in-place operators."""
    return str(func.overloadpacket.__name__).removesuffix("_")


class Exactness:
    """Finds the exact elements among arguments, for a dtype with a given unit of rounding."""

    def __init__(self, unit: float) -> None:
        """Take the eps of the dtype as `unit`. For float64, a value that float32 represents counts as exact."""
        narrow = (torch.float32, torch.float16, torch.bfloat16)
        self._dtype = next((dtype for dtype in narrow if torch.finfo(dtype).eps >= unit), torch.float32)
        self._digits = {torch.float32: 12, torch.float16: 5, torch.bfloat16: 4}[self._dtype]

    def rounded(self, func: Any, value: Tensor) -> Tensor | None:
        """Return a mask of the elements of a float64 argument that may have been rounded; None means all of them."""
        name = name_of(func)
        if name in CORRECTLY_ROUNDED or name in MOVING:
            return value != value.to(self._dtype).double()
        if name in SUMS and self._few_digits(value):
            return torch.zeros_like(value, dtype=torch.bool)
        return None

    def _few_digits(self, value: Tensor) -> bool:
        """Return whether all elements are multiples of one power of two, with at most half of the dtype's digits."""
        if value.numel() > HEAD and not self._few_digits(_head(value)):
            return False  # the common case, without a pass over millions of weights
        largest = value.abs().max() if value.numel() else value.new_zeros(())
        if not bool(largest.isfinite()):
            return False
        steps = torch.ldexp(value, self._digits - torch.frexp(largest).exponent)
        return bool((steps == steps.round()).all())


def _head(value: Tensor) -> Tensor:
    """Return a few of the elements, without a copy. If these need too many digits, so does the whole tensor."""
    while value.ndim > 1:
        value = value[0]
    return value[:HEAD]
