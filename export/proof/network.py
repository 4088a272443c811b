"""Verify a file of a module that is not affine, within a budget."""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from typing import Any

from numpy.typing import NDArray

from export.proof.budget import ALL, Spending
from export.proof.cases import Case, PlannedCase, planned_cases
from export.proof.chunks import in_chunks
from export.proof.comparison import Comparison, ExpectedOutput, compare_outputs, run_case, worst_of
from export.proof.memory import chunk_rows, limit_bytes
from export.proof.not_tried import left_out, too_large
from export.proof.optimisation import LEVELS, at_each_end
from export.proof.oracle import oracle_of
from export.proof.reach import MAX_ROWS, Proved, Reach, reach_of
from export.proof.runnable import check_sizes
from export.proof.sizes import sizes_within
from export.proof.verification import Verification
from export.proof.weights import find_weights
from export.runners.base import Runner
from export.source.axes import BATCH
from export.source.source import Source
from linreg.errors import ExportError, InexactError, MismatchError

Array = NDArray[Any]


def verify_network(
    runner: Runner,
    source: Source,
    unoptimised: Runner | None,
    budget_s: float,
    begin: Callable[[int, int], None],
    clock: Callable[[], float],
) -> Verification:
    """Do what `export.proof.verify.verify` documents, for a module that is not affine."""
    if not source.output_names:
        raise ExportError("the module returns no tensor, so there is nothing to prove; return what it computes")
    weights = find_weights(runner, source)
    limit = limit_bytes(everything=budget_s == ALL)
    tried = sizes_within(source, limit)
    check_sizes(source, [entry.sizes for entry in tried])
    planned, spending = planned_cases(source, tried), Spending(budget_s, clock)
    worst, equal, count, ties = 0.0, True, 0, 0
    proved: list[Proved] = []
    reach: Reach | None = None
    not_judged: list[str] = []
    skipped: list[PlannedCase] = []
    for place, case in enumerate(planned):
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
        if made.scale == 1.0 and (not proved or case.sizes.get(BATCH, 1) <= MAX_ROWS):
            proved.append((made, expected))
        worst, equal, count = max(worst, found.worst_error), equal and bool(found.bytes_equal), count + 1
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
    if BATCH not in case.sizes:
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
        if case.scale is None:  # a few rows may cancel to nearly zero
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
