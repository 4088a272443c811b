"""The float64 oracle: what the answers are, and how far each of them may be off."""

import copy
import sys
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from export.formats.quiet import reason
from export.proof.arithmetic import InFloat64, Perturbed
from export.source.signature import flatten
from export.source.source import Source
from export.source.user_code import users_code
from linreg.errors import ExportError, InexactError, LinregError
from linreg.files import sha256
from linreg.models import Affine

Array = NDArray[Any]

OWN_ERRORS = 4
"""A runtime may be off by so many times the error of eager torch itself: facts of 15 good exports lie below 2."""

LARGEST_OWN_ERROR = 1e-3
"""In units of the largest answer; a module less exact than this is refused, since nothing could be proved."""

LARGEST_OWN_UNITS = 32
"""In units of rounding of the module's dtype, where that is more: a few roundings of float16 are 1e-3 already."""

UNPROVABLE = 0.1
"""So large a part of many rows may be moved by rounding beyond what is provable, at any one place in a row."""

MAX_KNOWN_BYTES = 2**22
"""Answers of a case that are larger are computed again for each format instead of kept."""

SCALE_ROWS = 64
"""Rows from which the largest answer at a scale of the inputs is taken."""

PERTURBED_RUNS = 8
"""So many draws of rounding errors hardly ever miss an answer that rounding can move: one normal error exceeds twelve
times the largest of eight others in one of 10^8 draws."""


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


@lru_cache(maxsize=1)
def oracle_of(source: Source) -> "Oracle":
    """The oracle of a source, the same for all of its formats."""
    return Oracle(source)


class Oracle:
    """Answers for one source: `answers(inputs, scale)` gives a Reference for each output."""

    def __init__(self, source: Source) -> None:
        self.source = source
        self._wide = None if source.affine is not None else copy.deepcopy(source.module).double()
        self._unit = _coarsest_unit(source)
        self._largest: dict[float, tuple[float, ...]] = {}
        self._known: dict[str, tuple[Reference, ...]] = {}

    def answers(self, inputs: tuple[Array, ...], scale: float | None = None) -> tuple[Reference, ...]:
        """The reference of each output.

        Args:
            inputs: one array an input.
            scale: of the random values in `inputs`. Then errors are seen beside the largest answer of many rows at
                this scale: in one row all answers may be next to nothing, by cancellation.

        Raises:
            InexactError: torch's own float32 answers are so far from float64 that nothing could be proved.
        """
        key = sha256(b"".join([repr(scale).encode(), *(array.tobytes() for array in inputs)]))
        if key not in self._known:
            references = self._compute(inputs, scale)
            if sum(reference.values.nbytes for reference in references) > MAX_KNOWN_BYTES:
                return references
            self._known[key] = references
        return self._known[key]

    def _compute(self, inputs: tuple[Array, ...], scale: float | None) -> tuple[Reference, ...]:
        eager = tuple(tensor.numpy() for tensor in _run(self.source.module, inputs))
        if self.source.affine is not None:
            return (affine_reference(self.source.affine, inputs[0], eager[0]),)
        wide = self._exact(inputs)
        moved = self._moved(inputs, wide)
        largest = (0.0,) * len(wide) if scale is None else self._largest_at(scale)
        advice = _advice(self.source, self._unit)
        return tuple(
            _measured_reference(name, *known, unit=self._unit, advice=advice)
            for name, known in zip(self.source.output_names, zip(eager, wide, moved, largest, strict=True), strict=True)
        )

    def _exact(self, inputs: tuple[Array, ...]) -> tuple[Array, ...]:
        assert self._wide is not None
        try:
            with _without_compiling(), InFloat64():  # type: ignore[no-untyped-call]
                return tuple(tensor.numpy() for tensor in _answers(self._wide, tuple(map(_widened, inputs))))
        except LinregError:
            raise
        except Exception as error:  # an operator without float64, or whatever a user's module raises of it
            raise ExportError(
                f"the module cannot be run in float64, so nothing could be proved of its files: {reason(error)}"
            ) from error

    def _moved(self, inputs: tuple[Array, ...], exact: tuple[Array, ...]) -> tuple[Array, ...]:
        """How far roundings move each answer, at the most of several draws."""
        moved = tuple(np.zeros(array.shape) for array in exact)
        for seed in range(PERTURBED_RUNS):
            with Perturbed(self._unit, seed):
                perturbed = self._exact(inputs)
            moved = tuple(map(np.maximum, moved, map(_distance, perturbed, exact)))
        return moved

    def _largest_at(self, scale: float) -> tuple[float, ...]:
        """The largest finite answer of each output for random rows of a scale."""
        if scale not in self._largest:
            inputs = self.source.random_inputs(SCALE_ROWS, scale, SCALE_ROWS)
            self._largest[scale] = tuple(
                float(np.abs(array[np.isfinite(array)]).max(initial=0.0)) if array.dtype.kind == "f" else 0.0
                for array in self._exact(inputs)
            )
        return self._largest[scale]


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


def _measured_reference(
    name: str, eager: Array, wide: Array, moved: Array, largest: float, *, unit: float, advice: str
) -> Reference:
    """Four times the error that float arithmetic makes here, as far as it can be known.

    It is the largest of three: eager's own error, which is one draw of it; 4 eps of the largest answer, where eager was
    lucky; and for each answer by itself `moved`, how far roundings inside the module can move it. A LayerNorm over two
    nearly equal numbers, say, moves a few answers of a batch much further than all others; what eager makes of those
    counts for them alone.
    """
    nowhere = np.zeros(eager.shape, dtype=np.bool_)
    if eager.dtype.kind != "f":
        return Reference(values=eager, allowed=np.zeros(eager.shape), any_class=nowhere, eager=eager)
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
                f"the module's own {eager.dtype} answers ({name!r}) are off by {off:.2g} where the largest is "
                f"{scale:.2g}, expected at most {limit:.2g} of it: nothing could be proved of its files; {advice}"
            )
        moved = np.zeros_like(moved)  # eager is exact: files can be held to that
    least = max(own, 4 * float(np.finfo(eager.dtype).eps) * scale)
    bound = OWN_ERRORS * np.maximum(np.maximum(moved, errors), least)
    allowed = np.where(np.isfinite(wide), bound + float(np.finfo(eager.dtype).smallest_subnormal), np.nan)
    # Where float64 has more room than the module's dtype, eager says which class is right.
    values = np.where(np.isfinite(wide) & ~np.isfinite(eager), eager.astype(np.float64), wide)
    return Reference(values=values, allowed=allowed, any_class=nowhere, eager=eager)


def _most(unprovable: NDArray[np.bool_]) -> bool:
    """Whether too many answers cannot be proved: of many rows a tenth at any place in a row, of few a half of all."""
    if unprovable.ndim and len(unprovable) >= SCALE_ROWS:
        return float(unprovable.mean(axis=0).max(initial=0.0)) > UNPROVABLE
    return bool(unprovable.size) and float(unprovable.mean()) > 0.5


def _coarsest_unit(source: Source) -> float:
    """The eps of the coarsest floating dtype among parameters and inputs, in which the module rounds."""
    tensors = [*source.module.parameters(), *source.module.buffers()]
    dtypes = [tensor.dtype for tensor in tensors if tensor.is_floating_point()]
    units = [torch.finfo(dtype).eps for dtype in dtypes]
    units += [float(np.finfo(entry.dtype).eps) for entry in source.inputs if entry.dtype.kind == "f"]
    return max(units, default=float(np.finfo(np.float32).eps))


def _advice(source: Source, unit: float) -> str:
    """What makes a module's arithmetic finer: the next dtype, where the command line can give it one."""
    tensors = [*source.module.parameters(), *source.module.buffers()]
    given = any(tensor.is_floating_point() for tensor in tensors) or any(e.dtype.kind == "f" for e in source.inputs)
    if not given or unit <= torch.finfo(torch.float64).eps:
        return "let forward compute in float64"
    return "use --dtype " + ("float32" if unit > torch.finfo(torch.float32).eps else "float64")


def _distance(perturbed: Array, exact: Array) -> Array:
    """How far each answer moved; none for whole numbers, and where a perturbation leads out of the finite ones."""
    if exact.dtype.kind != "f":
        return np.zeros(exact.shape)
    with np.errstate(invalid="ignore"):
        distance: Array = np.abs(perturbed - exact)
    return np.where(np.isfinite(distance), distance, 0.0)


def _run(module: nn.Module, inputs: tuple[Array, ...]) -> tuple[Tensor, ...]:
    with users_code("the module fails on the rows that it is tried with"):
        return _answers(module, inputs)


def _answers(module: nn.Module, inputs: tuple[Array, ...]) -> tuple[Tensor, ...]:
    with torch.inference_mode():
        return flatten(module(*(torch.from_numpy(array.copy()) for array in inputs)))


def _without_compiling() -> AbstractContextManager[Any]:
    """Inside, torch.compile and torch.cond call what they would compile, since a compiler does not see float64."""
    if "torch._dynamo" not in sys.modules:
        return nullcontext()
    stance: AbstractContextManager[Any] = torch.compiler.set_stance("force_eager")
    return stance


def _widened(array: Array) -> Array:
    return array.astype(np.float64) if array.dtype.kind == "f" else array
