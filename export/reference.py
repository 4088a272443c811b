"""The float64 oracle: what the answers are, and how far each of them may be off."""

import copy
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_map

from export.signature import flatten
from export.source import Source
from linreg.errors import ExportError
from linreg.models import Affine

Array = NDArray[Any]

NARROW = (torch.float32, torch.float16, torch.bfloat16)
OWN_ERRORS = 4
"""A runtime may be off by so many times the error of eager torch itself: facts of 15 good exports lie below 2."""

LARGEST_OWN_ERROR = 1e-3
"""In units of the largest answer; a module less exact than this is refused, since nothing could be proved."""


@dataclass(frozen=True, kw_only=True)
class Reference:
    """The answers of one output, computed beyond the precision of the module.

    Attributes:
        values: float64 or wider; whole numbers and truth values as eager gives them.
        allowed: the error allowed for each answer; NaN where `values` is not finite.
        any_class: True where rounding may turn a finite answer into infinity or NaN.
        eager: what torch answers, in the module's dtype.
    """

    values: Array
    allowed: NDArray[np.floating]
    any_class: NDArray[np.bool_]
    eager: Array


class Oracle:
    """Answers for one source: `answers(inputs)` gives a Reference for each output."""

    def __init__(self, source: Source) -> None:
        self.source = source
        self._wide = None if source.affine is not None else copy.deepcopy(source.module).double()

    def answers(self, inputs: tuple[Array, ...]) -> tuple[Reference, ...]:
        """The reference of each output.

        Raises:
            ExportError: torch's own float32 answers are so far from float64 that nothing could be proved.
        """
        eager = tuple(tensor.numpy() for tensor in _run(self.source.module, inputs))
        if self.source.affine is not None:
            return (affine_reference(self.source.affine, inputs[0], eager[0]),)
        assert self._wide is not None
        with _InFloat64():  # type: ignore[no-untyped-call]
            wide = _run(self._wide, tuple(_widened(array) for array in inputs))
        return tuple(
            _measured_reference(name, own, value.numpy())
            for name, own, value in zip(self.source.output_names, eager, wide, strict=True)
        )


def affine_reference(affine: Affine, inputs: Array, eager: Array) -> Reference:
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
            reach = np.abs(values) * (1 + 2.0**-11) + (features + 4) * unit * magnitude
        else:
            allowed = (features + 4) * unit * magnitude + (features + 1) * np.finfo(dtype).smallest_subnormal
            reach = magnitude * (1 + (features + 4) * unit)
        finite = np.isfinite(values)
        any_class = finite & ~(reach <= float(np.finfo(dtype).max))
    return Reference(values=values, allowed=np.where(finite, allowed, np.nan), any_class=any_class, eager=eager)


def _measured_reference(name: str, eager: Array, wide: Array) -> Reference:
    """Four times eager's own error, or 16 eps of the largest answer where eager is luckily closer."""
    nowhere = np.zeros(eager.shape, dtype=np.bool_)
    if eager.dtype.kind != "f":
        return Reference(values=eager, allowed=np.zeros(eager.shape), any_class=nowhere, eager=eager)
    finite = np.isfinite(wide) & np.isfinite(eager)
    scale = float(np.abs(wide[finite]).max(initial=0.0))
    own = float(np.abs(eager.astype(np.float64) - wide)[finite].max(initial=0.0))
    if own > LARGEST_OWN_ERROR * scale:
        raise ExportError(
            f"the module's own {eager.dtype} answers ({name!r}) are off by {own / scale:.2g} of the largest one, "
            f"expected at most {LARGEST_OWN_ERROR:g}: nothing could be proved of its files; use --dtype float64"
        )
    bound = OWN_ERRORS * max(own, 4 * float(np.finfo(eager.dtype).eps) * scale)
    allowed = np.where(np.isfinite(wide), bound + float(np.finfo(eager.dtype).smallest_subnormal), np.nan)
    # Where float64 has more room than the module's dtype, eager says which class is right.
    values = np.where(np.isfinite(wide) & ~np.isfinite(eager), eager.astype(np.float64), wide)
    return Reference(values=values, allowed=allowed, any_class=nowhere, eager=eager)


def _run(module: nn.Module, inputs: tuple[Array, ...]) -> tuple[Tensor, ...]:
    with torch.inference_mode():
        return flatten(module(*(torch.from_numpy(array.copy()) for array in inputs)))


def _widened(array: Array) -> Array:
    return array.astype(np.float64) if array.dtype.kind == "f" else array


class _InFloat64(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Turn every narrow tensor and dtype argument into float64: a module that casts inside stays in float64."""

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        del types
        wide_args, wide_kwargs = tree_map(self._widen, (args, kwargs or {}))
        return func(*wide_args, **wide_kwargs)

    @staticmethod
    def _widen(value: Any) -> Any:
        if isinstance(value, torch.dtype):
            return torch.float64 if value in NARROW else value
        if isinstance(value, Tensor) and value.dtype in NARROW:
            return value.double()
        return value
