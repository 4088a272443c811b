"""Check a row's outputs before and after timing, and catch exceptions that it raises during timing.

A row may be the user's own code, or a file that a runtime rejects. Whatever it raises must affect that row only.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from bench.plan.expected import Array, Expected
from bench.plan.variants import WITHOUT_OUTPUTS, Kind, Variant
from bench.worker.messages import Measured
from linreg.errors import MismatchError, one_line

if TYPE_CHECKING:
    from export.runners.base import Call, Runner

ANYTHING = (Exception, SystemExit)
"""Each runtime has its own exception classes, and the user's code may raise anything."""


class RowFailedError(MismatchError):
    """A row raised an exception while it was timed.

    Attributes:
        name: name of the row.
    """

    def __init__(self, name: str, message: str) -> None:
        super().__init__(message)
        self.name = name


def bind(variant: Variant, runner: "Runner", expected: Expected, batch: int) -> "Call":
    """Bind a row to its inputs, so that an exception from its calls becomes an error that names the row.

    Raises:
        MismatchError: the runner rejects the inputs.
    """
    try:
        call = runner.bind(expected.inputs)
    except ANYTHING as error:
        raise MismatchError(f"{variant.name}: batch {batch}: rejected its inputs: {one_line(error)}") from error
    return replace(call, context=partial(_watched, variant.name, batch, call))


@contextmanager
def _watched(name: str, batch: int, call: "Call") -> Iterator[None]:
    try:
        with call.context():
            yield
    except ANYTHING as error:
        raise RowFailedError(name, f"{name}: batch {batch}: failed during timing: {one_line(error)}") from error


def check_row(
    variant: Variant, runner: "Runner", calls: "list[Call]", source: Any, expected: Expected, batch: int
) -> Measured:
    """Check the weights of a row, then its outputs; return its errors, or the problem.

    The outputs alone do not suffice: their bound cannot detect a single wrong bit of a weight. The user's own rows have
    no weights to check.
    """
    from export.proof.comparison import compare_outputs
    from export.proof.weights import find_weights

    if variant.kind in WITHOUT_OUTPUTS:
        return Measured()
    try:
        if variant.kind is not Kind.FACTORY:
            find_weights(runner, source)
        names = tuple(map(repr, expected.output_names))
        answers = [_outputs(variant, call, batch) for call in calls]
        found = [
            compare_outputs(f"{variant.name}: batch {batch}", names, outputs, expected.outputs) for outputs in answers
        ]
    except MismatchError as error:
        return Measured(problem=str(error), worst_error=np.inf)
    return Measured(
        worst_error=max(one.worst_error for one in found), bytes_equal=all(one.bytes_equal for one in found)
    )


def _outputs(variant: Variant, call: "Call", batch: int) -> tuple[Array, ...]:
    try:
        outputs: Any = call.outputs()
    except ANYTHING as error:
        raise MismatchError(f"{variant.name}: batch {batch}: does not run: {one_line(error)}") from error
    if not isinstance(outputs, tuple) or not all(isinstance(output, np.ndarray) for output in outputs):
        kind = type(outputs).__name__
        raise MismatchError(f"{variant.name}: batch {batch}: returns {kind}, expected a tuple of arrays")
    return outputs
