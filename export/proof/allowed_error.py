"""The error allowed for each output: a proven bound for affine maps, and a measurement for all other modules."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from export.proof.comparison import ExpectedOutput
from linreg.affine import Affine
from linreg.errors import InexactError

Array = NDArray[Any]

OWN_ERRORS = 4
"""The allowed error, as a multiple of the error of eager torch itself: 15 good exports stayed below 2."""

LARGEST_OWN_ERROR = 1e-3
"""Relative to the largest output: a module with a larger error is refused, since nothing could be proved."""

LARGEST_OWN_UNITS = 32
"""The same limit in units of rounding, if that is larger: a few roundings in float16 already amount to 1e-3."""

UNPROVABLE = 0.1
"""The fraction of rows in which rounding may move an element of the row further than can be proved."""

BLOCK_ELEMENTS = 2**24
"""The weights of an affine map are converted in blocks of so many elements, so that a large one needs no copy."""

SCALE_ROWS = 64
"""The number of rows that give the largest output at an input scale."""


def affine_output(affine: Affine, inputs: Array, eager: Array | None = None) -> ExpectedOutput:
    """Return the expected output of an affine map, and its allowed error, for rows of shape (batch, features).

    With K features and S = sum_k |w_k x_k| + |b|, the allowed error is (K + 4) u S + (K + 1) t, where u is 2^-24 for
    float32 and 2^-53 for float64, and t is the smallest subnormal. The first term is Higham's bound for a sum of K + 1
    products in any order (Accuracy and Stability, section 3.1); the second allows t for each result that underflows.
    float16 is accumulated in float32 and rounded once, which gives (K + 4) 2^-24 S + 2^-11 |y| + 2^-25.

    Without `eager`, the outputs of torch, the bytes of outputs cannot be compared.
    """
    dtype = affine.weight.dtype
    # A float64 module needs an oracle beyond float64; for float32, float64 is 2^29 times finer.
    wide: Any = np.longdouble if dtype == np.float64 else np.float64
    x: Array = inputs.astype(wide)
    outputs, features = affine.weight.shape
    bias: Array = np.zeros(outputs, wide) if affine.bias is None else affine.bias.astype(wide)
    step = max(1, BLOCK_ELEMENTS // max(1, features))
    with np.errstate(all="ignore"):
        parts, absolute = [], np.abs(x)
        for start in range(0, max(1, outputs), step):
            weight: Array = affine.weight[start : start + step].astype(wide)
            parts.append((x @ weight.T, absolute @ np.abs(weight).T))
        values, magnitude = (np.concatenate(part, axis=1) for part in zip(*parts, strict=True))
        values += bias
        magnitude += np.abs(bias)
        unit = 2.0**-53 if dtype == np.float64 else 2.0**-24
        if dtype == np.float16:
            allowed = (features + 4) * unit * magnitude + 2.0**-11 * np.abs(values) + 2.0**-25
            reach = np.abs(values) * (1 + 2.0**-11) + (features + 4) * unit * magnitude
        else:
            allowed = (features + 4) * unit * magnitude + (features + 1) * np.finfo(dtype).smallest_subnormal
            reach = magnitude * (1 + (features + 4) * unit)
        finite = np.isfinite(values)
        any_class = finite & ~(reach <= float(np.finfo(dtype).max))
        eager_or_rounded = values.astype(dtype) if eager is None else eager
    return ExpectedOutput(
        values=values,
        allowed=np.where(finite, allowed, np.nan),
        any_class=any_class,
        eager=eager_or_rounded,
        bytes_known=eager is not None,
    )


def measured_output(
    name: str, eager: Array, wide: Array, moved: Array, largest: float, *, unit: float, advice: str
) -> ExpectedOutput:
    """Return the expected output of a module that is not affine, and its allowed error for each element.

    The allowed error is four times the error of the module's own arithmetic. That error is the largest of three values:
    eager's own error, which is one sample; 4 eps of the largest output, in case eager happened to be exact; and
    `moved`, which is how far rounding inside the module can move this one element. A LayerNorm over two nearly equal
    numbers, for example, moves a few elements of a batch much further than the rest, and these few must not widen the
    bound for the rest.

    Raises:
        InexactError: the module's own error is too large to prove anything.
    """
    nowhere = np.zeros(eager.shape, dtype=np.bool_)
    if eager.dtype.kind != "f":
        return ExpectedOutput(values=eager, allowed=np.zeros(eager.shape), any_class=nowhere, eager=eager)
    finite = np.isfinite(wide) & np.isfinite(eager)
    scale = float(np.abs(wide[finite]).max(initial=largest))
    with np.errstate(invalid="ignore"):
        errors = np.where(finite, np.abs(eager.astype(np.float64) - wide), 0.0)
    limit = max(LARGEST_OWN_ERROR, LARGEST_OWN_UNITS * max(unit, float(np.finfo(eager.dtype).eps)))
    unprovable = finite & (moved > limit * scale)
    own = float(errors[~unprovable].max(initial=0.0))
    if own > limit * scale or _most(unprovable):
        if errors.any():
            off = max(own, float(np.median(moved[unprovable])) if unprovable.any() else 0.0)
            raise InexactError(
                f"the module's own {eager.dtype} outputs ({name!r}) are off by {off:.2g}, and the largest is "
                f"{scale:.2g}; expected at most {limit:.2g} of it: exported files could not be verified; {advice}"
            )
        moved = np.zeros_like(moved)  # eager is exact: files can be held to that
    least = max(own, 4 * float(np.finfo(eager.dtype).eps) * scale)
    bound = OWN_ERRORS * np.maximum(np.maximum(moved, errors), least)
    allowed = np.where(np.isfinite(wide), bound + float(np.finfo(eager.dtype).smallest_subnormal), np.nan)
    # Where only the module's dtype overflows, eager decides which class is right.
    values = np.where(np.isfinite(wide) & ~np.isfinite(eager), eager.astype(np.float64), wide)
    return ExpectedOutput(values=values, allowed=allowed, any_class=nowhere, eager=eager)


def _most(unprovable: NDArray[np.bool_]) -> bool:
    """Return whether too many elements are unprovable.

    If there are at least `SCALE_ROWS` rows, more than a tenth of them at any one position are too many; otherwise, more
    than half of all elements are.
    """
    if unprovable.ndim and len(unprovable) >= SCALE_ROWS:
        return float(unprovable.mean(axis=0).max(initial=0.0)) > UNPROVABLE
    return bool(unprovable.size) and float(unprovable.mean()) > 0.5
