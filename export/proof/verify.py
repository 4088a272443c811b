"""Compare the bytes on disk with the reference, at many batches, scales and special rows."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import nn

from export.proof.cases import judged_cases
from export.proof.oracle import Reference, oracle_of
from export.runners.base import Runner
from export.source.arrays import bits_of
from export.source.source import Source
from linreg.errors import ExportError, InexactError, MismatchError

Array = NDArray[Any]


@dataclass(frozen=True, kw_only=True)
class Verification:
    """What a file has been shown to do.

    Attributes:
        worst_error: in units of what is allowed; at most 1.
        bytes_equal: every output of every case has the very bytes of eager's.
        cases: how many were judged.
        parameters_kept: how many tensors of the state_dict stand in the file bit for bit; an exporter may fold others.
        not_judged: cases at the smallest and largest scale of the inputs where the module's own rounding, of a
            saturated activation say, leaves nothing to be proved.
    """

    worst_error: float
    bytes_equal: bool
    cases: int
    parameters_kept: int
    not_judged: tuple[str, ...] = ()


def verify(runner: Runner, source: Source, *, rows: Array | None = None) -> Verification:
    """Check a runner of a saved file against the reference.

    Raises:
        MismatchError: an output's shape, dtype, class or value differs; the message names the first, and `inputs` holds
            what was asked.
        ExportError: the module returns nothing.
        InexactError: the module is so inexact that nothing can be proved of ordinary inputs, or of the user's rows.
    """
    if not source.output_names:
        raise ExportError("the module returns no tensor, so there is nothing to prove; return what it computes")
    kept = check_parameters(runner, source)
    oracle = oracle_of(source)
    worst, equal, count, not_judged = 0.0, True, 0, []
    for case in judged_cases(source, rows):
        try:
            references = oracle.answers(case.inputs, case.scale)
        except InexactError:
            if case.scale in (None, 1.0):
                raise
            not_judged.append(case.name)
            continue
        try:
            outputs = run_case(runner, case.inputs, case.name)
            worst = max(worst, compare_all(runner.name, case.name, source.output_names, outputs, references))
        except MismatchError as error:
            error.inputs = dict(zip([entry.name for entry in source.inputs], case.inputs, strict=True))
            raise
        equal &= all(got.tobytes() == wanted.eager.tobytes() for got, wanted in zip(outputs, references, strict=True))
        count += 1
    return Verification(
        worst_error=worst, bytes_equal=equal, cases=count, parameters_kept=kept, not_judged=tuple(not_judged)
    )


def run_case(runner: Runner, inputs: tuple[Array, ...], case: str) -> tuple[Array, ...]:
    """The outputs of a runner.

    Raises:
        MismatchError: it refuses the inputs, as a file with a fixed batch does.
    """
    try:
        return runner.bind(inputs).outputs()
    except Exception as error:  # each runtime raises classes of its own
        text = " ".join(str(error).split())[:200]
        raise MismatchError(f"{runner.name}: {case}: does not run, expected an answer: {text}") from error


def compare_all(
    name: str, case: str, output_names: tuple[str, ...], outputs: tuple[Array, ...], references: tuple[Reference, ...]
) -> float:
    """The worst error over all outputs in units of what is allowed.

    Raises:
        MismatchError: it exceeds 1, or number, shape, dtype or class differ.
    """
    if len(outputs) != len(references):
        raise MismatchError(f"{name}: {case}: gives {len(outputs)} outputs, expected {len(references)}")
    return max(
        compare(f"{name}: {case}: {output_name!r}", output, reference)
        for output_name, output, reference in zip(output_names, outputs, references, strict=True)
    )


def compare(where: str, output: Array, reference: Reference) -> float:
    """The worst error of one output in units of what is allowed.

    Raises:
        MismatchError: it exceeds 1, or shape, dtype or class differ.
    """
    eager = reference.eager
    if output.shape != eager.shape or output.dtype != eager.dtype:
        raise MismatchError(
            f"{where} is {output.dtype} of shape {output.shape}, expected {eager.dtype} of {eager.shape}"
        )
    if output.dtype.kind != "f":
        ratio = np.where(output == reference.values, 0.0, np.inf)
    else:
        ratio = _ratio(output.astype(reference.values.dtype), reference)
    worst = float(ratio.max(initial=0.0))
    if worst > 1:
        place = tuple(int(index) for index in np.unravel_index(int(ratio.argmax()), ratio.shape))
        row, *rest = place or (0,)
        raise MismatchError(
            f"{where} at row {row}, {'element ' + str(tuple(rest)) + ' ' if rest else ''}is {output[place]!s}, "
            f"expected {reference.values[place]!s} within {float(reference.allowed[place]):.3g}"
        )
    return worst


def _ratio(got: Array, reference: Reference) -> Array:
    """Error over what is allowed; infinite where the class (finite, infinity, NaN) is wrong."""
    wanted = reference.values
    finite = np.isfinite(wanted)
    with np.errstate(invalid="ignore", divide="ignore", over="ignore"):
        same_class = np.where(finite, np.isfinite(got), (got == wanted) | (np.isnan(got) & np.isnan(wanted)))
        ratio: Array = np.abs(got - wanted) / reference.allowed
    ratio = np.where(finite & np.isfinite(got), ratio, 0.0)
    ratio = np.where(same_class | reference.any_class, ratio, np.inf)
    return np.where(np.isnan(ratio), np.inf, ratio)


def check_parameters(runner: Runner, source: Source) -> int:
    """See that the parameters in a file have the bits of the state_dict; returns how many are there.

    ONNX may leave some out, and where there is a BatchNorm torch folds it into the layer before under the old name.

    Raises:
        MismatchError: one has other bits, or is missing in a format that keeps all.
    """
    parameters, state = runner.parameters(), source.module.state_dict()
    folds = runner.folds and any(isinstance(part, nn.modules.batchnorm._BatchNorm) for part in source.module.modules())
    kept = 0
    for key, value in state.items():
        if key not in parameters:
            if runner.folds and source.affine is None:
                continue
            raise MismatchError(f"{runner.name}: has no parameter {key!r}, expected that of the state_dict")
        found, wanted = parameters[key], bits_of(value)
        same = found.dtype == wanted.dtype and found.size == wanted.size and found.tobytes() == wanted.tobytes()
        if not same and not folds:
            raise MismatchError(f"{runner.name}: parameter {key!r} has other bits than the state_dict; export again")
        kept += same
    return kept
