"""One comparison: equality first, then paired rounds, then equality again."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bench.rounds import Blocks, measure_rounds
from bench.statistics import Ratio, Verdict, paired_ratio, verdict
from bench.variants import NULL, REFERENCE, Variant
from export.reference import affine_reference
from export.runners import Call
from export.source import Source
from export.verify import compare
from linreg.errors import MismatchError

ROUNDS = 100
SEED = 20261123


@dataclass(frozen=True, kw_only=True)
class Row:
    """One variant at one batch.

    Attributes:
        name: of the variant.
        worst_error: in units of what is allowed, before and after timing; None where it answers wrongly.
        bytes_equal: its outputs have the bytes of the reference variant's.
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
        MismatchError: the reference variant itself answers wrongly.
    """
    inputs = source.random_inputs(batch, 1.0, SEED)
    calls = {variant.name: variant.build().bind(inputs) for variant in variants}
    problems: dict[str, str] = {}
    errors = _check(calls, source, inputs, problems)
    expected = calls[REFERENCE].outputs()
    equal = {name: _same_bytes(call, expected) for name, call in calls.items() if name not in problems}
    if REFERENCE in problems:
        raise MismatchError(f"{problems[REFERENCE]}; nothing can be compared with it")
    good = {name: call for name, call in calls.items() if name not in problems}
    blocks = measure_rounds(good, rounds=rounds, seed=SEED + batch, progress=progress)
    for name, error in _check(good, source, inputs, problems).items():
        errors[name] = max(error, errors[name])
    reference = blocks[REFERENCE].call_s
    null = paired_ratio(blocks[NULL].call_s, reference)
    rows = [_row(name, problems, errors, equal, blocks, reference, null) for name in calls]
    return Comparison(batch=batch, rows=tuple(rows))


def _row(
    name: str,
    problems: dict[str, str],
    errors: dict[str, float],
    equal: dict[str, bool],
    blocks: dict[str, Blocks],
    reference: NDArray[np.float64],
    null: Ratio,
) -> Row:
    if name in problems:
        return Row(
            name=name,
            worst_error=None,
            bytes_equal=False,
            problem=problems[name],
            blocks=None,
            median_s=None,
            ratio=None,
            verdict=None,
        )
    ratio = paired_ratio(blocks[name].call_s, reference)
    return Row(
        name=name,
        worst_error=errors[name],
        bytes_equal=equal[name],
        problem="",
        blocks=blocks[name],
        median_s=float(np.median(blocks[name].call_s)),
        ratio=None if name == REFERENCE else ratio,
        verdict=None if name in (REFERENCE, NULL) else verdict(ratio, null),
    )


def _check(
    calls: dict[str, Call], source: Source, inputs: tuple[NDArray[np.generic], ...], problems: dict[str, str]
) -> dict[str, float]:
    """The worst error of each call; those that answer wrongly go to `problems`."""
    reference = affine_reference(source.affine, inputs[0])
    errors = {}
    for name, call in calls.items():
        try:
            errors[name] = compare(name, f"batch {len(inputs[0])}", call.outputs()[0], reference, inputs[0].dtype)
        except MismatchError as error:
            problems[name] = str(error)
    return errors


def _same_bytes(call: Call, expected: tuple[NDArray[np.generic], ...]) -> bool:
    return [output.tobytes() for output in call.outputs()] == [output.tobytes() for output in expected]
