"""Which arguments no rounding can have touched: numbers that a narrow dtype holds, where an operator keeps them so."""

from typing import Any

import torch
from torch import Tensor

# fmt: off
CORRECTLY_ROUNDED = frozenset({
    "abs", "add", "ceil", "clamp", "clamp_max", "clamp_min", "copy", "div", "eq", "floor", "floor_divide", "fmod",
    "frac", "ge", "gt", "hardtanh", "le", "leaky_relu", "lt", "maximum", "minimum", "mul", "ne", "neg", "reciprocal",
    "relu", "remainder", "round", "rsub", "sgn", "sign", "sqrt", "sub", "threshold", "trunc", "where", "_to_copy",
})
"""IEEE 754 says what these answer for given arguments."""

MOVING = frozenset({
    "amax", "amin", "cat", "clone", "constant_pad_nd", "embedding", "expand_copy", "flip", "gather", "index",
    "index_put", "index_select", "masked_fill", "pad", "repeat", "roll", "scatter", "select_scatter", "slice_scatter",
    "stack", "tril", "triu",
})
"""These do nothing but move numbers, or choose among them."""

SUMS = frozenset({
    "_adaptive_avg_pool2d", "adaptive_avg_pool1d", "adaptive_avg_pool2d", "addmm", "addmv", "avg_pool1d",
    "avg_pool2d", "avg_pool3d", "baddbmm", "bmm", "conv1d", "conv2d", "conv3d", "convolution", "cumsum", "dot",
    "einsum", "linear", "matmul", "mean", "mm", "mv", "sum",
})
"""Sums of products: exact in any order where all arguments are multiples of some unit, and not of many of it."""
# fmt: on


HEAD = 1024
"""So many numbers of an argument are looked at before all of them are."""


def name_of(func: Any) -> str:
    """The name of an operator without its overload and without the mark of those that write in place."""
    return str(func.overloadpacket.__name__).removesuffix("_")


class Exactness:
    """The numbers that a dtype of some unit of rounding holds."""

    def __init__(self, unit: float) -> None:
        """Args: the eps of the dtype. In float64 nothing is wider: there a number of float32 counts as untouched."""
        narrow = (torch.float32, torch.float16, torch.bfloat16)
        self._dtype = next((dtype for dtype in narrow if torch.finfo(dtype).eps >= unit), torch.float32)
        self._digits = {torch.float32: 12, torch.float16: 5, torch.bfloat16: 4}[self._dtype]

    def rounded(self, func: Any, value: Tensor) -> Tensor | None:
        """Where rounding may have touched a float64 argument of an operator; None for everywhere."""
        name = name_of(func)
        if name in CORRECTLY_ROUNDED or name in MOVING:
            return value != value.to(self._dtype).double()
        if name in SUMS and self._few_digits(value):
            return torch.zeros_like(value, dtype=torch.bool)
        return None

    def _few_digits(self, value: Tensor) -> bool:
        """Whether all are multiples of one power of two and none has more than half of the dtype's digits in it."""
        if value.numel() > HEAD and not self._few_digits(_head(value)):
            return False  # as nearly always, and found without a pass over millions of weights
        largest = value.abs().max() if value.numel() else value.new_zeros(())
        if not bool(largest.isfinite()):
            return False
        steps = torch.ldexp(value, self._digits - torch.frexp(largest).exponent)
        return bool((steps == steps.round()).all())


def _head(value: Tensor) -> Tensor:
    """Some of the numbers, without a copy: what they have in smaller steps, all have."""
    while value.ndim > 1:
        value = value[0]
    return value[:HEAD]
