"""Verify the bytes on disk against the float64 oracle, at many batch sizes and input scales and on special rows."""

from dataclasses import dataclass
from typing import Any

from numpy.typing import NDArray

from export.proof.cases import judged_cases
from export.proof.comparison import compare_outputs, run_case
from export.proof.influence import Coverage, ProvedCase, coverage
from export.proof.oracle import oracle_of
from export.proof.weights import FoundWeights, find_weights
from export.runners.base import Runner
from export.source.source import Source
from linreg.errors import ExportError, InexactError, MismatchError

Array = NDArray[Any]

CASES_OF_COVERAGE = 3
"""How many cases show whether the outputs cover a tensor that is not in a file."""

MAX_ROWS_OF_COVERAGE = 16
"""Cases with more rows are too slow for that."""


@dataclass(frozen=True, kw_only=True)
class Weights:
    """What was proved about the tensors of the state_dict of a module that is not affine.

    Attributes:
        found: how many are in the file, bit for bit in any layout and under any name, or in the fold of a BatchNorm
            that was computed again.
        folded: how many of these are in such a fold.
        total: how many have an influence on the outputs, or are in the file.
        covered: keys not found whose small faults move an output beyond its allowed error.
        unproved: keys not found whose small faults may not be seen.
        without_influence: keys not found on which no output depends.
    """

    found: int
    folded: int
    total: int
    covered: tuple[str, ...] = ()
    unproved: tuple[str, ...] = ()
    without_influence: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Verification:
    """What was proved about a file.

    Attributes:
        worst_error: the largest error, as a multiple of the error allowed; at most 1.
        bytes_equal: every output of every case has the same bytes as eager's.
        cases: the number of cases compared.
        parameters_kept: how many tensors of the state_dict are in the file, bit for bit; an exporter may fold others.
        weights: what was proved about all tensors of the state_dict; None for an affine module.
        not_judged: cases, at the smallest or largest input scale, that prove nothing because the module's own rounding
            error is too large (for example, a saturated activation).
        ties: the number of cases with whole numbers, such as the labels of topk, that differ from eager's where the
            values that they come from tie within the allowed error.
    """

    worst_error: float
    bytes_equal: bool
    cases: int
    parameters_kept: int
    weights: Weights | None = None
    not_judged: tuple[str, ...] = ()
    ties: int = 0


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
    weights = find_weights(runner, source)
    oracle, names = oracle_of(source), tuple(map(repr, source.output_names))
    worst, equal, count, ties, not_judged = 0.0, True, 0, 0, []
    proved: list[ProvedCase] = []
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
        if case.scale in (None, 1.0) and (not proved or len(case.inputs[0]) <= MAX_ROWS_OF_COVERAGE):
            proved.append((case.inputs, expected))
        worst, equal, count = max(worst, found.worst_error), equal and found.bytes_equal, count + 1
        ties += bool(found.ties)
    return Verification(
        worst_error=worst,
        bytes_equal=equal,
        cases=count,
        parameters_kept=len(weights.identical),
        weights=_weights(source, weights, proved),
        not_judged=tuple(not_judged),
        ties=ties,
    )


def check_parameters(runner: Runner, source: Source) -> int:
    """Check that the parameters in a file equal the state_dict bit for bit, and return how many the file holds.

    An ONNX file may leave some out. torch folds a BatchNorm into the preceding layer, whose parameters keep their names
    but not their values; if the module has a BatchNorm, parameters that differ are therefore not counted.

    Raises:
        MismatchError: a parameter differs, or is missing in a format that keeps them all.
    """
    return len(find_weights(runner, source).identical)


def _weights(source: Source, found: FoundWeights, cases: list[ProvedCase]) -> Weights | None:
    if source.affine is not None:
        return None
    rest = coverage(oracle_of(source), cases[-CASES_OF_COVERAGE:], found.missing) if found.missing else Coverage()
    count = len(found.identical) + len(found.folded)
    return Weights(
        found=count,
        folded=len(found.folded),
        total=count + len(rest.covered) + len(rest.unproved),
        covered=rest.covered,
        unproved=rest.unproved,
        without_influence=rest.without_influence,
    )
