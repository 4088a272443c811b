"""The float64 oracle: what the answers are, and how far each of them may be off."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from linreg.models import Affine

Array = NDArray[Any]


@dataclass(frozen=True, kw_only=True)
class Reference:
    """Answers computed beyond the precision of the module.

    Attributes:
        values: float64 or wider, one an output.
        allowed: the error allowed for that output; NaN where `values` is not finite.
        any_class: True where rounding may turn a finite answer into infinity or NaN.
    """

    values: Array
    allowed: NDArray[np.floating]
    any_class: NDArray[np.bool_]


def affine_reference(affine: Affine, inputs: Array) -> Reference:
    """Answers of an affine map for rows of shape (batch, features).

    With K features and S = sum_k |w_k x_k| + |b| the allowed error is (K + 4) u S + (K + 1) tiny, with u = 2^-24 for
    float32 and 2^-53 for float64: Higham's bound for a sum of K + 1 products (Accuracy and Stability, section 3.1),
    whatever its order, and one tiny (smallest subnormal) for each result that underflows. float16 is accumulated in
    float32 and rounded once: (K + 4) 2^-24 S + 2^-11 |y| + 2^-25.
    """
    dtype = affine.weight.dtype
    # A float64 module wants an oracle beyond float64; elsewhere float64 is 2^29 times finer than what it judges.
    wide: Any = np.longdouble if dtype == np.float64 else np.float64
    x: Array = inputs.astype(wide)
    weight: Array = affine.weight.astype(wide)
    bias: Array = np.zeros(len(weight), wide) if affine.bias is None else affine.bias.astype(wide)
    features = weight.shape[1]
    with np.errstate(all="ignore"):
        values = x @ weight.T + bias
        magnitude = np.abs(x) @ np.abs(weight).T + np.abs(bias)
        unit = 2.0**-53 if dtype == np.float64 else 2.0**-24
        if dtype == np.float16:
            allowed = (features + 4) * unit * magnitude + 2.0**-11 * np.abs(values) + 2.0**-25
            largest = float(np.finfo(np.float16).max)
            reach = np.abs(values) * (1 + 2.0**-11) + (features + 4) * unit * magnitude
        else:
            allowed = (features + 4) * unit * magnitude + (features + 1) * np.finfo(dtype).smallest_subnormal
            largest = float(np.finfo(dtype).max)
            reach = magnitude * (1 + (features + 4) * unit)
        finite = np.isfinite(values)
        any_class = finite & ~(reach <= largest)
    return Reference(values=values, allowed=np.where(finite, allowed, np.nan), any_class=any_class)
