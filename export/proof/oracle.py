"""The float64 oracle: the expected outputs, and the error allowed for each element."""

from dataclasses import replace
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from export.proof.allowed_error import LARGEST_OWN_ERROR, SCALE_ROWS, affine_output, measured_output
from export.proof.arithmetic import Perturbed, is_large
from export.proof.comparison import ExpectedOutput
from export.proof.distances import distance_of, errors_of, largest_element
from export.proof.float64_module import Float64Module, run_module
from export.proof.ties import Ties
from export.proof.unit import advice_on_accuracy, coarsest_unit
from export.source.axes import BATCH
from export.source.inputs import Input
from export.source.source import Source
from export.source.user_code import users_code
from linreg.errors import ExportError, InexactError
from linreg.files import sha256

Array = NDArray[Any]

MAX_KNOWN_BYTES = 2**22
"""Larger outputs of a case are computed again for each format instead of kept."""

PERTURBED_RUNS = 8
"""The number of perturbed runs. They hardly ever miss an element that rounding can move: one normal error exceeds
twelve times the largest of eight others once in 10^8 draws."""


NARROW_RUNS = 2
"""The number of perturbed runs of bounds that are tried first."""

NARROW_SHARE = 1 / 30
"""So few runs show that rounding moves no element further than can be proved if they move it by at most this share: a
normal error of the whole limit stays below a thirtieth of it in both runs once in 1400 draws."""

CHUNK_ROWS = 8
"""The largest output is found in chunks of so many rows, if rows do not depend on each other."""

CHECKED_ROWS = 4
"""Whether rows depend on each other is found with a batch of this size, and the largest output at first, too."""

CHECKED_ROW = 1
"""The row that is compared: neither at an end nor in the middle, where it would stay if the rows were reversed."""


@lru_cache(maxsize=1)
def oracle_of(source: Source) -> "Oracle":
    """Return the oracle of a source; all formats share it."""
    return Oracle(source)


class Oracle:
    """Computes the outputs of a source in float64, and the error allowed for each element."""

    def __init__(self, source: Source) -> None:
        self.source = source
        self._float64 = None if source.affine is not None else Float64Module(source)
        self._unit = coarsest_unit(source)
        self._largest: dict[tuple[float, int], tuple[float, ...]] = {}
        self._independent: bool | None = None
        self._known: dict[str, tuple[ExpectedOutput, ...]] = {}
        self._narrow_known: dict[str, tuple[ExpectedOutput, ...]] = {}

    @property
    def float64(self) -> Float64Module:
        """The module in float64; an affine one needs none, since its products are exact."""
        assert self._float64 is not None
        return self._float64

    def answers(self, inputs: tuple[Array, ...], scale: float | None = None) -> tuple[ExpectedOutput, ...]:
        """Compute the expected value of each output, and the error allowed for each element.

        Args:
            inputs: one array per input of the module.
            scale: the standard deviation of the random values in `inputs`. Errors are then relative to the largest
                output of many rows at this scale, since cancellation may leave all outputs of one row close to zero.

        Raises:
            InexactError: eager's outputs differ too much from the float64 outputs to prove anything.
        """
        key = _key(inputs, scale)
        if key not in self._known:
            outputs = self._compute(inputs, scale)
            if sum(output.values.nbytes for output in outputs) > MAX_KNOWN_BYTES:
                return outputs
            self._known[key] = outputs
        return self._known[key]

    def own_answers(self, inputs: tuple[Array, ...]) -> tuple[ExpectedOutput, ...]:
        """Return the answers to the user's own inputs, whose scale is not known.

        Errors are relative to the largest output of these inputs or, if a few rows cancel to nearly zero, of random
        rows.

        Raises:
            InexactError: as `answers`.
        """
        try:
            return self.answers(inputs)
        except InexactError:
            return self.answers(inputs, 1.0)

    def narrow_answers(self, inputs: tuple[Array, ...], scale: float | None = None) -> tuple[ExpectedOutput, ...]:
        """Compute the expected outputs with bounds that are at most as wide as those of `answers`, at less cost.

        The module is perturbed in two runs instead of eight and, if rows do not depend on each other, only at the rows
        of the largest errors: they decide how large the module's own error is. The bounds lack what more perturbation
        could add, and the largest output is that of fewer rows. So outputs within them are right, and others have to be
        compared with `answers`, which is also the result where so little does not decide.

        Raises:
            InexactError: as `answers`.
        """
        key = _key(inputs, scale)
        if self.source.affine is not None or key in self._known:
            return self.answers(inputs, scale)
        if key not in self._narrow_known:
            found = self._narrow(inputs, scale) or self.answers(inputs, scale)
            if sum(output.values.nbytes for output in found) > MAX_KNOWN_BYTES:
                return found
            self._narrow_known[key] = found
        return self._narrow_known[key]

    def _narrow(self, inputs: tuple[Array, ...], scale: float | None) -> tuple[ExpectedOutput, ...] | None:
        eager, wide = self._eager(inputs), self.float64.outputs(inputs)
        errors = list(map(errors_of, eager, wide))
        if self.rows_are_independent():
            rows = np.unique([int(error.max(axis=tuple(range(1, error.ndim))).argmax()) for error in errors])
            few = self._moved(self.chosen(inputs, rows), tuple(array[rows] for array in wide), runs=NARROW_RUNS)
            moved = tuple(np.zeros(array.shape) for array in wide)
            for array, found in zip(moved, few, strict=True):
                array[rows] = found
        else:
            moved = self._moved(inputs, wide, runs=NARROW_RUNS)
        if not all(map(_sure, moved, wide)):
            return None
        try:
            return self._measured(eager, wide, moved, scale, rows_of_scale=CHECKED_ROWS)
        except InexactError:
            return None

    def rows_are_independent(self) -> bool:
        """Whether each row of the outputs depends on the same row of the inputs only, as found with a few rows."""
        if self._independent is None:
            self._independent = False
            if BATCH in self.source.sizes() and all(BATCH not in entry.shape[1:] for entry in self.source.inputs):
                inputs, chosen = self._rows(CHECKED_ROWS, 1.0, SCALE_ROWS), slice(CHECKED_ROW, CHECKED_ROW + 1)
                try:
                    every, one = self.float64.outputs(inputs), self.float64.outputs(self.chosen(inputs, chosen))
                except ExportError:  # such as a BatchNorm without running statistics, which needs two rows
                    return False
                self._largest[1.0, CHECKED_ROWS] = tuple(map(largest_element, every))
                self._independent = all(
                    whole.shape[:1] == (CHECKED_ROWS,)
                    and part.shape == whole[chosen].shape
                    and np.allclose(part, whole[chosen], rtol=1e-9, atol=1e-12, equal_nan=True)
                    for whole, part in zip(every, one, strict=True)
                )
        return self._independent

    def count(self, inputs: tuple[Array, ...]) -> int:
        """Return the number of rows; 1 if no input has a batch as its first axis."""
        batched = (len(array) for entry, array in zip(self.source.inputs, inputs, strict=True) if _has_rows(entry))
        return next(batched, 1)

    def chosen(self, inputs: tuple[Array, ...], rows: Any) -> tuple[Array, ...]:
        """Return some rows of the inputs; those without a batch are the same for all rows."""
        pairs = zip(self.source.inputs, inputs, strict=True)
        return tuple(array[rows] if _has_rows(entry) else array for entry, array in pairs)

    def _compute(self, inputs: tuple[Array, ...], scale: float | None) -> tuple[ExpectedOutput, ...]:
        eager = self._eager(inputs)
        if self.source.affine is not None:
            return (affine_output(self.source.affine, inputs[0], eager[0]),)
        ties = Ties(eager)
        ties.run(lambda: self._eager(inputs))
        wide = ties.run(lambda: self.float64.outputs(inputs))
        return self._measured(eager, wide, self._moved(inputs, wide, ties), scale, ties)

    def _eager(self, inputs: tuple[Array, ...]) -> tuple[Array, ...]:
        with users_code("the module fails on its test inputs"):
            tensors = run_module(self.source, self.source.module, inputs)
        return tuple(tensor.numpy() for tensor in tensors)

    def _measured(
        self,
        eager: tuple[Array, ...],
        wide: tuple[Array, ...],
        moved: tuple[Array, ...],
        scale: float | None,
        ties: Ties | None = None,
        *,
        rows_of_scale: int = SCALE_ROWS,
    ) -> tuple[ExpectedOutput, ...]:
        largest = (0.0,) * len(wide) if scale is None else self._largest_at(scale, rows_of_scale)
        advice = advice_on_accuracy(self.source, self._unit)
        outputs = [
            measured_output(name, *known, unit=self._unit, advice=advice)
            for name, known in zip(self.source.output_names, zip(eager, wide, moved, largest, strict=True), strict=True)
        ]
        for place, also in (ties.alternatives(self._unit) if ties else {}).items():
            outputs[place] = replace(outputs[place], alternatives=also, any_class=also.places(eager[place]))
        return tuple(outputs)

    def _moved(
        self, inputs: tuple[Array, ...], exact: tuple[Array, ...], ties: Ties | None = None, runs: int = PERTURBED_RUNS
    ) -> tuple[Array, ...]:
        """Return how far rounding moves each element, as the largest distance in several runs; `ties` keeps them."""
        moved = tuple(np.zeros(array.shape) for array in exact)
        if ties is None and all(array.dtype.kind != "f" for array in exact):
            return moved
        ties = ties or Ties(())
        for seed in range(runs):
            with Perturbed(self._unit, seed):
                perturbed = ties.run(lambda: self.float64.outputs(inputs))
            moved = tuple(map(np.maximum, moved, map(distance_of, perturbed, exact)))
        return moved

    def _rows(self, count: int, scale: float, seed: int) -> tuple[Array, ...]:
        return self.source.random_inputs(self.source.sizes(batch=count), scale, seed)

    def _largest_at(self, scale: float, count: int) -> tuple[float, ...]:
        """Return the largest finite magnitude in each output, for so many random rows of the given scale."""
        if (scale, count) not in self._largest:
            inputs = self._rows(count, scale, SCALE_ROWS)
            chunks = [inputs]
            # Large parameters are converted in every call, which takes longer than more rows.
            if self.rows_are_independent() and not any(map(is_large, self.source.module.parameters())):
                starts = range(0, count, CHUNK_ROWS)
                chunks = [self.chosen(inputs, slice(start, start + CHUNK_ROWS)) for start in starts]
            found = [tuple(map(largest_element, self.float64.outputs(chunk))) for chunk in chunks]
            self._largest[scale, count] = tuple(map(max, zip(*found, strict=True)))
        return self._largest[scale, count]


def _key(inputs: tuple[Array, ...], scale: float | None) -> str:
    return sha256(b"".join([repr(scale).encode(), *(array.tobytes() for array in inputs)]))


def _has_rows(entry: Input) -> bool:
    return entry.shape[:1] == (BATCH,)


def _sure(moved: Array, wide: Array) -> bool:
    """Whether a few runs show that rounding moves no element further than can be proved.

    An element that rounding moves too far does not count for the module's own error, which other elements then decide.
    """
    return bool(moved.max(initial=0.0) <= NARROW_SHARE * LARGEST_OWN_ERROR * largest_element(wide))
