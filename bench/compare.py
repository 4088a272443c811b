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
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from bench.benchmark import BenchSettings, run_benchmark
from bench.comparison import Row
from bench.job import Device
from bench.rounds import Blocks, measure_rounds
from bench.statistics import Ratio, Verdict, paired_ratio, verdict
from bench.subject import Subject
from bench.variants import AGAINST, against_variants
from export.formats import PROGRAMS, RUNTIME_FORMATS, format_of
from export.runners import Call
from export.trust import is_ours
from linreg.config import MAX_STATE_BYTES, MODEL_FILE
from linreg.errors import LinregError, MismatchError, ModelError
from linreg.files import read_bytes

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
    given = settings or BenchSettings()
    kinds = {format_of(path.name) for path in (reference, variant)}
    found = kinds.pop()
    if kinds or found is None or found[0] not in RUNTIME_FORMATS or found[1] is not None:
        raise LinregError(
            f"{reference} and {variant}: expected two artifacts of one format, such as model.onnx, each in its bundle"
        )
    data = [read_bytes(path, limit=MAX_STATE_BYTES) for path in (reference, variant)]
    for path, content in zip((reference, variant), data, strict=True):
        if found[0] in PROGRAMS and not trust and not is_ours(content):
            raise ModelError(f"{path}: is a program that this user did not export; pass trust=True if you trust it")
    rows = against_variants(found[0])
    report = run_benchmark(
        {"model": Subject(path=str(_bundle(variant))), AGAINST: Subject(path=str(_bundle(reference)))},
        {Device.CPU: rows},
        BenchSettings(
            batches=(batch,),
            threads=given.threads[:1],
            rounds=given.rounds,
            processes=given.processes,
            target=given.target,
            reference=AGAINST,
            single_calls=0,
        ),
        bundle=None,
        provided={rows[0].file: data[0], rows[1].file: data[1]},
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


def _bundle(path: Path) -> Path:
    if not (path.parent / MODEL_FILE).is_file():
        raise LinregError(f"{path}: there is no {MODEL_FILE} beside it, so its answers could not be checked")
    return path.parent


def _median(blocks: Blocks) -> float:
    return float(np.median(blocks.call_s))


def _seconds(row: Row) -> float:
    assert row.median_s is not None, "a row without a problem has a latency"
    return row.median_s
