"""Verify the bytes on disk against the float64 oracle, at many batch sizes and scales, within a budget."""

import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any

from numpy.typing import NDArray

from export.proof.budget import ALL, Spending
from export.proof.cases import Case, PlannedCase, check_sizes, planned_cases
from export.proof.chunks import in_chunks
from export.proof.comparison import Comparison, ExpectedOutput, compare_outputs, run_case, worst_of
from export.proof.memory import chunk_rows, limit_bytes
from export.proof.not_tried import left_out, too_large
from export.proof.optimisation import LEVELS, at_each_end
from export.proof.oracle import oracle_of
from export.proof.reach import MAX_ROWS, Proved, Reach, Weights, reach_of
from export.proof.sizes import sizes_within
from export.proof.weights import find_weights
from export.runners.base import Runner
from export.source.axes import BATCH
from export.source.source import Source
from linreg.errors import ExportError, InexactError, MismatchError

Array = NDArray[Any]
BeginCase = Callable[[int, int], None]


def no_progress(_done: int, _total: int) -> None:
    """Report nothing."""


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
        not_tried: cases, or whole batch sizes, that would exceed the budget of time or memory, with what they would
            take: `batch 4096 (about 40 min)`.
        sizes: the sizes of the dynamic axes that were tried.
        optimisation: onnxruntime's levels of graph optimisation at which every case was compared; empty if the runner
            alone was compared.
        cannot_fail: comparisons that hold for a wrong file too, such as an output that is 0 in every case.
    """

    worst_error: float
    bytes_equal: bool
    cases: int
    parameters_kept: int
    weights: Weights | None = None
    not_judged: tuple[str, ...] = ()
    ties: int = 0
    not_tried: tuple[str, ...] = ()
    sizes: tuple[dict[str, int], ...] = ()
    optimisation: tuple[str, ...] = ()
    cannot_fail: tuple[str, ...] = ()


def verify(
    runner: Runner,
    source: Source,
    *,
    unoptimised: Runner | None = None,
    budget_s: float = ALL,
    begin: BeginCase = no_progress,
    clock: Callable[[], float] = time.perf_counter,
) -> Verification:
    """Compare the outputs of a saved file's runner with the oracle, and its parameters with the state_dict.

    Args:
        runner: the file, loaded.
        source: what it was exported from.
        unoptimised: the file loaded without graph optimisation, to compare each case with it as well.
        budget_s: time after which no other case is tried, for a module that is not affine. The least (three batch
            sizes, and the user's own inputs) is tried whatever it takes.
        begin: called as `begin(done, total)` as each case of a module that is not affine begins.
        clock: what `budget_s` is measured with.

    Raises:
        MismatchError: a parameter differs, or an output's shape, dtype, class or value. For an output, the message
            names the first difference, and the error's `inputs` holds the inputs of that case.
        ExportError: the module returns nothing.
        InexactError: the module's own error is too large to prove anything for ordinary inputs or the user's own.
    """
    if not source.output_names:
        raise ExportError("the module returns no tensor, so there is nothing to prove; return what it computes")
    weights = find_weights(runner, source)
    affine = source.affine is not None
    limit = None if affine else limit_bytes(everything=budget_s == ALL)
    tried = sizes_within(source) if affine else sizes_within(source, limit)
    if not affine:
        check_sizes(source, [entry.sizes for entry in tried])
    planned, spending = planned_cases(source, tried), Spending(budget_s, clock)
    worst, equal, count, ties = 0.0, True, 0, 0
    proved: list[Proved] = []
    reach: Reach | None = None
    not_judged: list[str] = []
    skipped: list[PlannedCase] = []
    for place, case in enumerate(planned):
        if not affine:
            begin(place, len(planned))
            if not case.least:
                reach = reach or reach_of(source, weights, proved, planned, spending)
                if not spending.affords(case.elements):
                    skipped.append(case)
                    continue
        spending.start_case()
        made = case.make()
        judged = _judge_in_chunks(runner, source, made, unoptimised, _chunk_rows(source, case, limit))
        spending.end_case(case.elements)
        if judged is None:
            not_judged.append(case.name)
            continue
        found, expected = judged
        if not affine and made.scale == 1.0 and (not proved or case.sizes.get(BATCH, 1) <= MAX_ROWS):
            proved.append((made, expected))
        worst, equal, count = max(worst, found.worst_error), equal and found.bytes_equal, count + 1
        ties += bool(found.ties)
    reach = reach or reach_of(source, weights, proved, planned, spending)
    return Verification(
        worst_error=worst,
        bytes_equal=equal,
        cases=count,
        parameters_kept=len(weights.identical),
        weights=reach.weights,
        not_judged=tuple(not_judged),
        ties=ties,
        sizes=tuple(
            dict(entry.sizes)
            for entry in tried
            if any(case.sizes == entry.sizes and case not in skipped for case in planned)
        ),
        not_tried=(*left_out(skipped, planned, spending), *too_large(source, tried), *reach.not_tried),
        optimisation=() if unoptimised is None else LEVELS,
        cannot_fail=reach.cannot_fail,
    )


def _chunk_rows(source: Source, case: PlannedCase, limit: int | None) -> int | None:
    """How many rows are compared at a time; None if the memory suffices for all of them."""
    if source.affine is not None or BATCH not in case.sizes:
        return None
    rows = chunk_rows(source, case.sizes, limit)
    return None if rows == case.sizes[BATCH] else rows


def _judge_in_chunks(
    runner: Runner, source: Source, case: Case, unoptimised: Runner | None, rows: int | None
) -> tuple[Comparison, tuple[ExpectedOutput, ...]] | None:
    """Compare as `_judge` does, so many rows at a time, or all if `rows` is None.

    There are no expected outputs of more rows than that.

    Raises:
        MismatchError: an output differs; the error's `inputs` holds those of all rows.
        InexactError: as `_judge`.
    """
    if rows is None:
        return _judge(runner, source, case, unoptimised)
    found: list[Comparison] = []
    try:
        for part, one, other in in_chunks(oracle_of(source), case, rows, runner, unoptimised):
            judged = _judge(one, source, part, other)
            if judged is None:
                return None
            found.append(judged[0])
    except MismatchError as error:
        error.inputs = dict(zip([entry.name for entry in source.inputs], case.inputs, strict=True))
        raise
    return worst_of(found), ()


def _judge(
    runner: Runner, source: Source, case: Case, unoptimised: Runner | None = None
) -> tuple[Comparison, tuple[ExpectedOutput, ...]] | None:
    """Compare one case with what is expected; None if the module's own error is too large at an extreme scale.

    Raises:
        MismatchError: an output differs.
        InexactError: the module's own error is too large at an ordinary scale.
    """
    names = tuple(map(repr, source.output_names))
    where, oracle = f"{runner.name}: {case.name}", oracle_of(source)
    try:
        expected = oracle.narrow_answers(case.inputs, case.scale)

        def compare(one: Runner) -> Comparison:
            nonlocal expected
            outputs = run_case(one, case.inputs, case.name)
            with suppress(MismatchError):
                return compare_outputs(where, names, outputs, expected)
            expected = oracle.answers(case.inputs, case.scale)
            return compare_outputs(where, names, outputs, expected)

        return worst_of(at_each_end(compare, runner, unoptimised)), expected
    except InexactError as error:
        if case.scale is None and source.affine is None:  # a few rows may cancel to nearly zero
            return _judge(runner, source, replace(case, scale=1.0), unoptimised)
        if case.scale in (None, 1.0):
            raise InexactError(f"{error}{_mask_hint(source, case)}") from None
        return None
    except MismatchError as error:
        error.args = (f"{error}{_mask_hint(source, case)}",)
        error.inputs = dict(zip([entry.name for entry in source.inputs], case.inputs, strict=True))
        raise


def _mask_hint(source: Source, case: Case) -> str:
    """Suggest `prefix` for a random mask in which a row begins with 0, so that its first position sees nothing."""
    if any(case.name == own.name for own in source.own):
        return ""
    for entry, array in zip(source.inputs, case.inputs, strict=True):
        whole = entry.dtype.kind == "b" or (entry.dtype.kind in "iu" and (entry.least, entry.below) == (0, 2))
        unmarked = "mask" in entry.name and whole and not entry.prefix
        if unmarked and array.ndim > 1 and not array[..., 0].all():
            described = replace(entry, prefix=True).text()
            return (
                f"; rows of {entry.name!r} begin with 0 here: if it is a right-padded mask, use --input {described!r}"
            )
    return ""
