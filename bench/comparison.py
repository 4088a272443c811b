"""One comparison: equality first, then paired rounds, then equality again."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bench.rounds import Blocks, measure_rounds
from bench.statistics import Ratio, Verdict, paired_ratio, verdict
from bench.variants import NULL, REFERENCE, Variant
from export.reference import Oracle, Reference
from export.runners import Call, Runner
from export.source import Source
from export.verify import check_parameters, compare_all
from linreg.errors import MismatchError

ROUNDS = 100
SEED = 20261123


@dataclass(frozen=True, kw_only=True)
class Row:
    """One variant at one batch.

    Attributes:
        name: of the variant.
        worst_error: in units of what is allowed, before and after timing; None where it answers wrongly.
        bytes_equal: its outputs have the bytes of the reference variant's, before and after timing.
        problem: why it has no latency; empty where it has one.
        blocks: what was measured; None where it answers wrongly.
        median_s: seconds a call.
        ratio: to the reference variant.
        verdict: what the ratio allows to say.
    """

    name: str
    worst_error: float | None
    bytes_equal: bool
    problem: str
    blocks: Blocks | None
    median_s: float | None
    ratio: Ratio | None
    verdict: Verdict | None


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """All rows at one batch."""

    batch: int
    rows: tuple[Row, ...]


@dataclass(frozen=True, kw_only=True)
class _Answer:
    """What a variant answered at one time: the bytes of its outputs and their error, or a problem."""

    worst_error: float
    outputs: tuple[bytes, ...]
    problem: str = ""


def compare_variants(
    variants: list[Variant],
    source: Source,
    *,
    batch: int,
    rounds: int = ROUNDS,
    progress: Callable[[int], None] | None = None,
) -> Comparison:
    """Measure every variant at one batch in this process; one that answers wrongly has no latency.

    Raises:
        MismatchError: the reference variant itself answers wrongly, or the null row does.
    """
    inputs = source.random_inputs(batch, 1.0, SEED)
    expected = Oracle(source).answers(inputs)
    runners = {variant.name: variant.build() for variant in variants}
    calls = {name: runner.bind(inputs) for name, runner in runners.items()}
    before = {name: _answer(runners[name], call, source, expected) for name, call in calls.items()}
    _need_reference(before)
    good = {name: call for name, call in calls.items() if not before[name].problem}
    blocks = measure_rounds(good, rounds=rounds, seed=SEED + batch, progress=progress)
    after = before | {name: _answer(runners[name], call, source, expected) for name, call in good.items()}
    _need_reference(after)
    reference = blocks[REFERENCE].call_s
    null = paired_ratio(blocks[NULL].call_s, reference)
    rows = [
        _wrong_row(name, after[name].problem)
        if after[name].problem
        else _row(name, (before, after), blocks[name], reference, null)
        for name in calls
    ]
    return Comparison(batch=batch, rows=tuple(rows))


def _answer(runner: Runner, call: Call, source: Source, expected: tuple[Reference, ...]) -> _Answer:
    """Ask once more: the weights first, as a bound on the outputs cannot see one bit of them."""
    case = f"batch {len(expected[0].values)}"
    try:
        check_parameters(runner, source)
        outputs = call.outputs()
        worst = compare_all(runner.name, case, source.output_names, outputs, expected)
    except MismatchError as error:
        return _Answer(worst_error=np.inf, outputs=(), problem=str(error))
    return _Answer(worst_error=worst, outputs=tuple(output.tobytes() for output in outputs))


def _need_reference(answers: dict[str, _Answer]) -> None:
    for name in (REFERENCE, NULL):
        if answers[name].problem:
            raise MismatchError(f"{answers[name].problem}; nothing can be compared with it")


def _row(
    name: str,
    answers: tuple[dict[str, _Answer], ...],
    blocks: Blocks,
    reference: NDArray[np.float64],
    null: Ratio,
) -> Row:
    ratio = paired_ratio(blocks.call_s, reference)
    return Row(
        name=name,
        worst_error=max(answer[name].worst_error for answer in answers),
        bytes_equal=all(answer[name].outputs == answer[REFERENCE].outputs for answer in answers),
        problem="",
        blocks=blocks,
        median_s=float(np.median(blocks.call_s)),
        ratio=None if name == REFERENCE else ratio,
        verdict=None if name in (REFERENCE, NULL) else verdict(ratio, null),
    )


def _wrong_row(name: str, problem: str) -> Row:
    return Row(
        name=name,
        worst_error=None,
        bytes_equal=False,
        problem=problem,
        blocks=None,
        median_s=None,
        ratio=None,
        verdict=None,
    )
