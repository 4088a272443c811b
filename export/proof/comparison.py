"""Compare outputs with those expected, by the one rule of verification, test vectors and benchmark, without torch."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from export.runners.base import Runner
from linreg.errors import MismatchError, one_line

if TYPE_CHECKING:
    from export.proof.alternatives import Alternatives

Array = NDArray[Any]


@dataclass(frozen=True, kw_only=True)
class ExpectedOutput:
    """The expected value of one output, and the error allowed for each element.

    Attributes:
        values: the expected values, in float64 or wider; integers and booleans keep the dtype of eager's output.
        allowed: the error allowed for each element; ignored where `values` is not finite.
        any_class: True for each element at which finite, infinite and NaN outputs all pass. For integers, it is True
            where values tie: each of `alternatives` passes, or any integer if these are not known.
        eager: the output in the model's own dtype, computed by torch or by the runtime that was recorded.
        bytes_known: False if nothing computed that output: `eager` is then `values`, rounded.
        alternatives: the integers that pass where values tie.
    """

    values: Array
    allowed: NDArray[np.floating]
    any_class: NDArray[np.bool_]
    eager: Array
    bytes_known: bool = True
    alternatives: "Alternatives | None" = None


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """How close outputs are to those expected.

    Attributes:
        worst_error: the largest error, as a multiple of the error allowed; at most 1.
        bytes_equal: every output has the same bytes as `eager`; None if that is not known.
        ties: names of the outputs of whole numbers that differ from `eager`, where values tie.
    """

    worst_error: float
    bytes_equal: bool | None
    ties: tuple[str, ...] = ()


def worst_of(found: list[Comparison]) -> Comparison:
    """The comparisons of one case in several sessions as one."""
    return Comparison(
        worst_error=max(entry.worst_error for entry in found),
        bytes_equal=all_equal(entry.bytes_equal for entry in found),
        ties=tuple(dict.fromkeys(name for entry in found for name in entry.ties)),
    )


def all_equal(found: Iterable[bool | None]) -> bool | None:
    """Whether all of these are equal; None if that is not known of one."""
    every = list(found)
    return None if None in every else all(every)


def run_case(runner: Runner, inputs: tuple[Array, ...], case: str) -> tuple[Array, ...]:
    """Run a runner once on the inputs of a case, and return its outputs.

    Raises:
        MismatchError: the runner raises an error, for example because its file has another, fixed batch size.
    """
    try:
        return runner.bind(inputs).outputs()
    except Exception as error:  # each runtime raises classes of its own
        raise MismatchError(f"{runner.name}: {case}: does not run: {one_line(error)}") from error


def compare_outputs(
    where: str, names: tuple[str, ...], outputs: tuple[Array, ...], expected: tuple[ExpectedOutput, ...]
) -> Comparison:
    """Compare all outputs of one call.

    Args:
        where: the file and the case, used in messages.
        names: the names of the outputs, used in messages.
        outputs: the computed outputs.
        expected: the expected outputs, in the same order.

    Raises:
        MismatchError: the number of outputs, a shape, a dtype or a class differs, or an error exceeds what is allowed.
    """
    if len(outputs) != len(expected):
        raise MismatchError(f"{where}: gives {len(outputs)} outputs, expected {len(expected)}")
    worst = max(
        compare_output(f"{where}: {name}", output, wanted)
        for name, output, wanted in zip(names, outputs, expected, strict=True)
    )
    equal = all_equal(
        output.tobytes() == wanted.eager.tobytes() if wanted.bytes_known else None
        for output, wanted in zip(outputs, expected, strict=True)
    )
    ties = tuple(
        name
        for name, output, wanted in zip(names, outputs, expected, strict=True)
        if output.dtype.kind != "f" and not np.array_equal(output, wanted.eager)
    )
    return Comparison(worst_error=worst, bytes_equal=equal, ties=ties)


def compare_output(where: str, output: Array, expected: ExpectedOutput) -> float:
    """Compare one output, and return its largest error as a multiple of the error allowed.

    Raises:
        MismatchError: the shape, the dtype or a class differs, or an error exceeds what is allowed.
    """
    eager = expected.eager
    if output.shape != eager.shape or output.dtype != eager.dtype:
        raise MismatchError(
            f"{where} is {output.dtype} of shape {output.shape}, expected {eager.dtype} of {eager.shape}"
        )
    ratio = _error_ratio(output, expected)
    worst = float(ratio.max(initial=0.0))
    if worst > 1:
        place = tuple(int(index) for index in np.unravel_index(int(ratio.argmax()), ratio.shape))
        row, *rest = place or (0,)
        raise MismatchError(
            f"{where} at row {row}, {'element ' + str(tuple(rest)) + ' ' if rest else ''}is {output[place]!s}, "
            f"expected {expected.values[place]!s} within {float(expected.allowed[place]):.3g}"
        )
    return worst


def _error_ratio(output: Array, expected: ExpectedOutput) -> Array:
    """Return each element's error over the error allowed; infinity if its class (finite, infinite, NaN) is wrong."""
    wanted = expected.values
    if output.dtype.kind != "f":
        if expected.alternatives is not None:
            return np.where(expected.alternatives.allow(output, expected.eager), 0.0, np.inf)
        return np.where((output == wanted) | expected.any_class, 0.0, np.inf)
    got = output.astype(wanted.dtype)
    finite = np.isfinite(got) & np.isfinite(wanted)
    same_class = finite | (got == wanted) | (np.isnan(got) & np.isnan(wanted))
    with np.errstate(invalid="ignore", divide="ignore", over="ignore"):
        error = np.where(finite, np.abs(got - wanted), 0.0)
        ratio = np.where(error == 0, 0.0, error / expected.allowed)
    return np.where(np.isnan(ratio) | ~(same_class | expected.any_class), np.inf, ratio)
