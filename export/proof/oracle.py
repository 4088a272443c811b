"""The float64 oracle: the expected outputs, and the error allowed for each element."""

import sys
from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from functools import lru_cache, partial
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from export.formats.quiet import reason
from export.proof.allowed_error import LARGEST_OWN_ERROR, SCALE_ROWS, affine_output, measured_output
from export.proof.arithmetic import InFloat64, Perturbed, is_large
from export.proof.comparison import ExpectedOutput
from export.proof.ties import Ties
from export.source.own_copy import copied
from export.source.signature import flatten
from export.source.source import Source
from export.source.user_code import users_code
from linreg.errors import ExportError, LinregError
from linreg.files import sha256

Array = NDArray[Any]

MAX_KNOWN_BYTES = 2**22
"""Larger outputs of a case are computed again for each format instead of kept."""

PERTURBED_RUNS = 8
"""The number of perturbed runs. They hardly ever miss an element that rounding can move: one normal error exceeds
twelve times the largest of eight others once in 10^8 draws."""


PERTURBED_ROWS = 64
"""In a larger batch only so many rows are perturbed at first."""

CHUNK_ROWS = 8
"""The largest output is found in chunks of so many rows, if rows do not depend on each other."""

CHECKED_ROWS = 7
"""Whether rows depend on each other is found with a batch of this size."""


@lru_cache(maxsize=1)
def oracle_of(source: Source) -> "Oracle":
    """Return the oracle of a source; all formats share it."""
    return Oracle(source)


class Oracle:
    """Computes the outputs of a source in float64, and the error allowed for each element."""

    def __init__(self, source: Source) -> None:
        self.source = source
        self._wide = None if source.affine is not None else _wide_copy(source.module)
        self._unit = _coarsest_unit(source)
        self._largest: dict[float, tuple[float, ...]] = {}
        self._independent: bool | None = None
        self._known: dict[str, tuple[ExpectedOutput, ...]] = {}

    def answers(self, inputs: tuple[Array, ...], scale: float | None = None) -> tuple[ExpectedOutput, ...]:
        """Compute the expected value of each output, and the error allowed for each element.

        Args:
            inputs: one array per input of the module.
            scale: the standard deviation of the random values in `inputs`. Errors are then relative to the largest
                output of many rows at this scale, since cancellation may leave all outputs of one row close to zero.

        Raises:
            InexactError: eager's outputs differ too much from the float64 outputs to prove anything.
        """
        key = sha256(b"".join([repr(scale).encode(), *(array.tobytes() for array in inputs)]))
        if key not in self._known:
            outputs = self._compute(inputs, scale)
            if sum(output.values.nbytes for output in outputs) > MAX_KNOWN_BYTES:
                return outputs
            self._known[key] = outputs
        return self._known[key]

    def narrow_answers(self, inputs: tuple[Array, ...], scale: float | None = None) -> tuple[ExpectedOutput, ...]:
        """Compute the expected outputs with bounds that are at most as wide as those of `answers`, at less cost.

        In a large batch only the rows of the largest errors are perturbed: they decide how large the module's own error
        is. The bounds of the other rows lack what perturbation could add. So outputs within them are right, and others
        have to be compared with `answers`.

        Raises:
            InexactError: as `answers`.
        """
        rows = len(inputs[0])
        if self.source.affine is not None or rows <= PERTURBED_ROWS or not self._rows_are_independent():
            return self.answers(inputs, scale)
        eager, wide = self._eager(inputs), self.exact(inputs)
        errors = list(map(_error_of_rows, eager, wide))
        worst = np.argsort(np.max(errors, axis=0))[-PERTURBED_ROWS:]
        few = self._moved(tuple(array[worst] for array in inputs), tuple(array[worst] for array in wide))
        if not all(map(partial(_decides, worst), few, wide, errors)):
            return self.answers(inputs, scale)
        moved = tuple(np.zeros(array.shape) for array in wide)
        for array, found in zip(moved, few, strict=True):
            array[worst] = found
        return self._measured(eager, wide, moved, scale)

    def _rows_are_independent(self) -> bool:
        """Whether each row of the outputs depends on the same row of the inputs only, as found with a few rows."""
        if self._independent is None:
            self._independent = False
            if not self.source.static and all(entry.shape and entry.shape[0] is None for entry in self.source.inputs):
                inputs, chosen = self.source.random_inputs(CHECKED_ROWS, 1.0, CHECKED_ROWS), [1, 4]
                every, few = self.exact(inputs), self.exact(tuple(array[chosen] for array in inputs))
                self._independent = all(
                    whole.shape[:1] == (CHECKED_ROWS,)
                    and part.shape == whole[chosen].shape
                    and np.allclose(part, whole[chosen], rtol=1e-9, atol=1e-12, equal_nan=True)
                    for whole, part in zip(every, few, strict=True)
                )
        return self._independent

    def _compute(self, inputs: tuple[Array, ...], scale: float | None) -> tuple[ExpectedOutput, ...]:
        eager = self._eager(inputs)
        if self.source.affine is not None:
            return (affine_output(self.source.affine, inputs[0], eager[0]),)
        ties = Ties(eager)
        ties.run(lambda: self._eager(inputs))
        wide = ties.run(lambda: self.exact(inputs))
        return self._measured(eager, wide, self._moved(inputs, wide, ties), scale, ties)

    def _eager(self, inputs: tuple[Array, ...]) -> tuple[Array, ...]:
        return tuple(tensor.numpy() for tensor in _run(self.source.module, inputs))

    def _measured(
        self,
        eager: tuple[Array, ...],
        wide: tuple[Array, ...],
        moved: tuple[Array, ...],
        scale: float | None,
        ties: Ties | None = None,
    ) -> tuple[ExpectedOutput, ...]:
        largest = (0.0,) * len(wide) if scale is None else self._largest_at(scale)
        advice = _advice(self.source, self._unit)
        outputs = [
            measured_output(name, *known, unit=self._unit, advice=advice)
            for name, known in zip(self.source.output_names, zip(eager, wide, moved, largest, strict=True), strict=True)
        ]
        for place, also in (ties.alternatives(self._unit) if ties else {}).items():
            outputs[place] = replace(outputs[place], alternatives=also, any_class=also.places(eager[place]))
        return tuple(outputs)

    def exact(self, inputs: tuple[Array, ...]) -> tuple[Array, ...]:
        """Run the module in float64.

        Raises:
            ExportError: it cannot be run in float64.
        """
        assert self._wide is not None
        try:
            with _without_compiling(), InFloat64():  # type: ignore[no-untyped-call]
                return tuple(tensor.numpy() for tensor in _answers(self._wide, tuple(map(_widened, inputs))))
        except LinregError:
            raise
        except Exception as error:  # an operator without float64, or whatever a user's module raises
            raise ExportError(
                f"the module cannot be run in float64, so exported files could not be verified: {reason(error)}"
            ) from error

    def outputs_with(self, inputs: tuple[Array, ...], changed: Mapping[str, Tensor]) -> tuple[Array, ...]:
        """Compute the outputs in float64 with other values for some tensors of the state_dict.

        Raises:
            ExportError: the module does not run with them.
        """
        assert self._wide is not None
        state = self._wide.state_dict()
        kept = {key: state[key].clone() for key in changed}
        try:
            for key, value in changed.items():
                state[key].copy_(value)
            return self.exact(inputs)
        finally:
            for key, value in kept.items():
                state[key].copy_(value)

    def wide_tensor(self, key: str) -> Tensor:
        """Return a copy of a tensor of the state_dict, in float64 if it is floating."""
        assert self._wide is not None
        tensor: Tensor = self._wide.state_dict()[key]
        return tensor.clone()

    def can_change(self, key: str) -> bool:
        """Return whether each element of a tensor has memory of its own, so that `outputs_with` can change it."""
        assert self._wide is not None
        tensor: Tensor = self._wide.state_dict()[key]
        return not is_large(tensor) and not any(
            step == 0 and size > 1 for step, size in zip(tensor.stride(), tensor.shape, strict=True)
        )

    def _moved(
        self, inputs: tuple[Array, ...], exact: tuple[Array, ...], ties: Ties | None = None
    ) -> tuple[Array, ...]:
        """Return how far rounding moves each element, as the largest distance in several runs; `ties` keeps them."""
        ties = ties or Ties(())
        moved = tuple(np.zeros(array.shape) for array in exact)
        for seed in range(PERTURBED_RUNS):
            with Perturbed(self._unit, seed):
                perturbed = ties.run(lambda: self.exact(inputs))
            moved = tuple(map(np.maximum, moved, map(_distance, perturbed, exact)))
        return moved

    def _largest_at(self, scale: float) -> tuple[float, ...]:
        """Return the largest finite magnitude in each output, for random rows of the given scale."""
        if scale not in self._largest:
            inputs = self.source.random_inputs(SCALE_ROWS, scale, SCALE_ROWS)
            few = self._rows_are_independent() and not any(map(is_large, self.source.module.parameters()))
            rows = CHUNK_ROWS if few else len(inputs[0])
            chunks = [
                tuple(array[start : start + rows] for array in inputs) for start in range(0, len(inputs[0]), rows)
            ]
            found = [tuple(map(_largest_element, self.exact(chunk))) for chunk in chunks]
            self._largest[scale] = tuple(map(max, zip(*found, strict=True)))
        return self._largest[scale]


def _wide_copy(module: nn.Module) -> nn.Module:
    """Copy a module in float64, but for parameters that `InFloat64` converts in blocks; these share their memory."""

    def widened(tensor: Tensor) -> Tensor:
        return tensor.double() if tensor.is_floating_point() and not is_large(tensor) else tensor

    return copied(module)._apply(widened)  # type: ignore[no-untyped-call,no-any-return] # as Module.double does


def _coarsest_unit(source: Source) -> float:
    """Return the largest eps among the dtypes of floating parameters, buffers and inputs."""
    tensors = [*source.module.parameters(), *source.module.buffers()]
    dtypes = [tensor.dtype for tensor in tensors if tensor.is_floating_point()]
    units = [torch.finfo(dtype).eps for dtype in dtypes]
    units += [float(np.finfo(entry.dtype).eps) for entry in source.inputs if entry.dtype.kind == "f"]
    return max(units, default=float(np.finfo(np.float32).eps))


def _advice(source: Source, unit: float) -> str:
    """Return advice on how to make the module's arithmetic more accurate."""
    tensors = [*source.module.parameters(), *source.module.buffers()]
    given = any(tensor.is_floating_point() for tensor in tensors) or any(e.dtype.kind == "f" for e in source.inputs)
    if not given or unit <= torch.finfo(torch.float64).eps:
        return "let forward compute in float64"
    return "use --dtype " + ("float32" if unit > torch.finfo(torch.float32).eps else "float64")


def _largest_element(array: Array) -> float:
    if array.dtype.kind != "f":
        return 0.0
    return float(np.abs(array).max(initial=0.0, where=np.isfinite(array)))


def _error_of_rows(eager: Array, wide: Array) -> Array:
    """The largest error of each row, over that of all rows; 0 for integers, and where an element is not finite."""
    distance = _distance(eager.astype(wide.dtype), wide)
    largest: Array = distance.reshape(len(distance), -1).max(axis=1, initial=0.0)
    return largest / max(float(largest.max(initial=0.0)), float(np.finfo(np.float64).tiny))


def _decides(worst: Array, moved: Array, wide: Array, errors: Array) -> bool:
    """Whether the rows that were perturbed have the largest error, and rounding moves none of them too far.

    An element that rounding moves too far does not count for the module's own error, which other rows then decide.
    """
    scale = _largest_element(wide)
    return bool(errors[worst].max() == errors.max() and moved.max(initial=0.0) <= LARGEST_OWN_ERROR * scale)


def _distance(perturbed: Array, exact: Array) -> Array:
    """Return how far each element moved; 0 for integers, and for elements whose distance is not finite."""
    if exact.dtype.kind != "f":
        return np.zeros(exact.shape)
    with np.errstate(invalid="ignore"):
        distance: Array = np.abs(perturbed - exact)
    return np.where(np.isfinite(distance), distance, 0.0)


def _run(module: nn.Module, inputs: tuple[Array, ...]) -> tuple[Tensor, ...]:
    with users_code("the module fails on its test inputs"):
        return _answers(module, inputs)


def _answers(module: nn.Module, inputs: tuple[Array, ...]) -> tuple[Tensor, ...]:
    with torch.inference_mode():
        return flatten(module(*(torch.from_numpy(array.copy()) for array in inputs)))


def _without_compiling() -> AbstractContextManager[Any]:
    """Return a context in which torch.compile and torch.cond run eagerly; compiled code would not run in float64."""
    if "torch._dynamo" not in sys.modules:
        return nullcontext()
    stance: AbstractContextManager[Any] = torch.compiler.set_stance("force_eager")
    return stance


def _widened(array: Array) -> Array:
    return array.astype(np.float64) if array.dtype.kind == "f" else array
