"""Verify the bytes on disk against the float64 oracle, at many batch sizes and input scales and on special rows."""

from dataclasses import dataclass
from typing import Any

from numpy.typing import NDArray
from torch import nn

from export.proof.cases import judged_cases
from export.proof.comparison import compare_outputs, run_case
from export.proof.oracle import oracle_of
from export.runners.base import Runner
from export.source.arrays import bits_of
from export.source.source import Source
from linreg.errors import ExportError, InexactError, MismatchError

Array = NDArray[Any]


@dataclass(frozen=True, kw_only=True)
class Verification:
    """What was proved about a file.

    Attributes:
        worst_error: the largest error, as a multiple of the error allowed; at most 1.
        bytes_equal: every output of every case has the same bytes as eager's.
        cases: the number of cases compared.
        parameters_kept: how many tensors of the state_dict the file holds bit for bit; an exporter may fold others.
        not_judged: cases, at the smallest or largest input scale, that prove nothing because the module's own rounding
            error is too large (for example, a saturated activation).
    """

    worst_error: float
    bytes_equal: bool
    cases: int
    parameters_kept: int
    not_judged: tuple[str, ...] = ()


def verify(runner: Runner, source: Source, *, rows: Array | None = None) -> Verification:
    """Compare the outputs of a saved file's runner with the oracle, and its parameters with the state_dict.

    Raises:
        MismatchError: a parameter differs, or an output's shape, dtype, class or value. For an output, the message
            names the first difference, and the error's `inputs` holds the inputs of that case.
        ExportError: the module returns nothing.
        InexactError: the module's own error is too large to prove anything for ordinary inputs or the user's rows.
    """
    if not source.output_names:
        raise ExportError("the module returns no tensor, so there is nothing to prove; return what it computes")
    kept = check_parameters(runner, source)
    oracle, names = oracle_of(source), tuple(map(repr, source.output_names))
    worst, equal, count, not_judged = 0.0, True, 0, []
    for case in judged_cases(source, rows):
        try:
            expected = oracle.answers(case.inputs, case.scale)
        except InexactError:
            if case.scale in (None, 1.0):
                raise
            not_judged.append(case.name)
            continue
        try:
            outputs = run_case(runner, case.inputs, case.name)
            found = compare_outputs(f"{runner.name}: {case.name}", names, outputs, expected)
        except MismatchError as error:
            error.inputs = dict(zip([entry.name for entry in source.inputs], case.inputs, strict=True))
            raise
        worst, equal, count = max(worst, found.worst_error), equal and found.bytes_equal, count + 1
    return Verification(
        worst_error=worst, bytes_equal=equal, cases=count, parameters_kept=kept, not_judged=tuple(not_judged)
    )


def check_parameters(runner: Runner, source: Source) -> int:
    """Check that the parameters in a file equal the state_dict bit for bit, and return how many the file holds.

    An ONNX file may leave some out. torch folds a BatchNorm into the preceding layer, whose parameters keep their names
    but not their values; if the module has a BatchNorm, parameters that differ are therefore not counted.

    Raises:
        MismatchError: a parameter differs, or is missing in a format that keeps them all.
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
            raise MismatchError(f"{runner.name}: parameter {key!r} differs from the state_dict; export again")
        kept += same
    return kept
