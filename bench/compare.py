"""The Python API: two callables, or two artifacts, in; ratios with intervals out.

    >>> from bench.compare import compare_callables
    >>> result = compare_callables(lambda: sum(range(100)), lambda: sum(range(200)))
    >>> result.ratio.low > 1.5
    True

Two callables are timed in this process, which is what a ratio of their code needs; the same callables in another
process may differ by 1 % more, as memory is laid out anew. Two artifacts are timed in fresh processes.
"""

from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from bench.analysis.rows import Row
from bench.analysis.statistics import Ratio, Verdict, paired_ratio, verdict
from bench.benchmark import run_benchmark
from bench.plan.artifact_file import read_artifact
from bench.plan.variants import AGAINST, Device, against_variants
from bench.worker.rounds import Blocks, measure_rounds
from export.runners.base import Call
from linreg.config import BenchSettings
from linreg.errors import LinregError, MismatchError

LEAST_ROUNDS = 6


@dataclass(frozen=True, kw_only=True)
class Result:
    """How a variant compares with its reference.

    Attributes:
        ratio: time of the variant over that of the reference, with its 95 % interval.
        null: the same for the reference against itself, timed in the same rounds: what the machine adds.
        verdict: slower, faster (beyond 1 %), equivalent (within 2 %) or inconclusive.
        reference_s: seconds a call of the reference, the median.
        variant_s: seconds a call of the variant.
        scope: `this process only`, or how many processes.
    """

    ratio: Ratio
    null: Ratio
    verdict: Verdict
    reference_s: float
    variant_s: float
    scope: str


def compare_callables(
    reference: Callable[[], object], variant: Callable[[], object], *, rounds: int = 100, seed: int = 0
) -> Result:
    """Time two callables in paired, shuffled rounds in this process.

    Args:
        reference: called without arguments.
        variant: the same.
        rounds: blocks of about 0.1 ms of each.
        seed: of the order.

    Raises:
        LinregError: so few rounds have no interval.
    """
    if rounds < LEAST_ROUNDS:
        raise LinregError(f"rounds: got {rounds}, expected at least {LEAST_ROUNDS}, or there is no interval of 95 %")
    calls = {
        name: Call(run=run, outputs=lambda: (), context=nullcontext)
        for name, run in (("reference", reference), ("null", reference), ("variant", variant))
    }
    blocks = measure_rounds(calls, rounds=rounds, seed=seed)
    ratio, null = (paired_ratio(blocks[name].call_s, blocks["reference"].call_s) for name in ("variant", "null"))
    return Result(
        ratio=ratio,
        null=null,
        verdict=verdict(ratio, null),
        reference_s=_median(blocks["reference"]),
        variant_s=_median(blocks["variant"]),
        scope="this process only",
    )


def compare_artifacts(
    reference: Path, variant: Path, *, batch: int = 1, settings: BenchSettings | None = None, trust: bool = False
) -> Result:
    """Time two artifacts of one format, each in its bundle, in fresh processes; both must answer rightly.

    Args:
        reference: such as `old/model.onnx`.
        variant: such as `new/model.onnx`.
        batch: rows of input.
        settings: how much is measured; its batches and reference are set here.
        trust: load TorchScript and .pt2 files that this user did not export; they are programs.

    Raises:
        MismatchError: one of them answers wrongly.
        LinregError: they cannot be timed.
    """
    sides = [read_artifact(path, trust=trust) for path in (reference, variant)]
    if sides[0].kind is not sides[1].kind:
        raise LinregError(f"{reference} and {variant}: expected two artifacts of one format, each in its bundle")
    rows = against_variants(sides[0].kind)
    given = replace(settings or BenchSettings(), batches=(batch,), reference=AGAINST, single_calls=0)
    report = run_benchmark(
        {"model": sides[1].subject, AGAINST: sides[0].subject},
        {Device.CPU: rows},
        replace(given, threads=given.threads[:1]),
        bundle=None,
        provided={row.file: side.data for row, side in zip(rows, sides, strict=False)},
    )
    base, null, row = report.comparisons[0].rows[:3]
    if row.problem or row.ratio is None or row.verdict is None or null.ratio is None:
        raise MismatchError(row.problem)
    return Result(
        ratio=row.ratio,
        null=null.ratio,
        verdict=row.verdict,
        reference_s=_seconds(base),
        variant_s=_seconds(row),
        scope="this process only" if given.processes == 1 else f"{report.processes} processes",
    )


def _median(blocks: Blocks) -> float:
    return float(np.median(blocks.call_s))


def _seconds(row: Row) -> float:
    assert row.median_s is not None, "a row without a problem has a latency"
    return row.median_s
