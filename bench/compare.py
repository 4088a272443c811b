"""Compare the speed of two callables, or of two artifacts.

Two callables are timed in this process only. In another process, with another memory layout, their ratio may differ by
a further 1 %. Two artifacts are timed in fresh processes.
"""

import html
import os
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from bench.analysis.parts import Row
from bench.analysis.statistics import Ratio, Verdict, paired_ratio, verdict
from bench.benchmark import run_benchmark
from bench.plan.artifact_file import read_artifact
from bench.plan.planning import plan_against
from bench.plan.variants import AGAINST
from bench.report.numbers import duration
from bench.worker.rounds import Blocks, measure_rounds
from export.runners.base import Call
from linreg.config import BENCH_DEFAULTS, FEWEST_PAIRED_ROUNDS, BenchSettings
from linreg.errors import LinregError, MismatchError


@dataclass(frozen=True, kw_only=True)
class PairedComparison:
    """How a variant compares with its reference.

    Attributes:
        names: names of the reference and of the variant.
        ratio: time of the variant over that of the reference, with its 95 % interval.
        null: the same for the reference against itself, timed in the same rounds: the noise of this machine.
        verdict: slower or faster (by more than 1 %), equivalent (within 2 %) or inconclusive.
        reference_s: median seconds per call of the reference.
        variant_s: median seconds per call of the variant.
        scope: `this process only`, or the number of processes.
    """

    names: tuple[str, str]
    ratio: Ratio
    null: Ratio
    verdict: Verdict
    reference_s: float
    variant_s: float
    scope: str

    def __repr__(self) -> str:
        reference, variant = self.names
        return (
            f"{reference} {duration(self.reference_s)}, {variant} {duration(self.variant_s)}: {self.verdict}, "
            f"{variant}/{reference} = {_figures(self.ratio)}, {self.scope}"
        )

    def _repr_html_(self) -> str:
        reference, variant = map(html.escape, self.names)
        return (
            "<table><tr><th></th><th>median</th><th>ratio (95 % interval)</th><th>verdict</th></tr>"
            f"<tr><th>{reference}</th><td>{duration(self.reference_s)}</td><td>1</td><td></td></tr>"
            f"<tr><th>{variant}</th><td>{duration(self.variant_s)}</td><td>{_figures(self.ratio)}</td>"
            f"<td>{self.verdict}</td></tr></table>"
        )


def compare(
    reference: Callable[[], object],
    variant: Callable[[], object],
    *,
    names: tuple[str, str] | None = None,
    rounds: int = BENCH_DEFAULTS.rounds,
    seed: int = 0,
) -> PairedComparison:
    """Time two callables in paired, shuffled rounds in this process.

    Args:
        reference: called without arguments.
        variant: called without arguments.
        names: what to call the two in the result; None: their own names, or `reference` and `variant`.
        rounds: blocks of each, of about 0.1 ms.
        seed: seed of the order.

    Raises:
        LinregError: there are too few rounds for a 95 % interval.

    Example:
        >>> result = compare(lambda: sum(range(100)), lambda: sum(range(200)), names=("short", "long"))
        >>> result.ratio.low > 1.5
        True
        >>> str(result.verdict)
        'slower'
    """
    if rounds < FEWEST_PAIRED_ROUNDS:
        raise LinregError(
            f"rounds: got {rounds}, expected at least {FEWEST_PAIRED_ROUNDS}, since fewer give no 95 % interval"
        )
    calls = {
        name: Call(run=run, outputs=lambda: (), context=nullcontext)
        for name, run in (("reference", reference), ("null", reference), ("variant", variant))
    }
    blocks = measure_rounds(calls, rounds=rounds, seed=seed)
    ratio, null = (paired_ratio(blocks[name].call_s, blocks["reference"].call_s) for name in ("variant", "null"))
    return PairedComparison(
        names=names or _names(reference, variant),
        ratio=ratio,
        null=null,
        verdict=verdict(ratio, null),
        reference_s=_median(blocks["reference"]),
        variant_s=_median(blocks["variant"]),
        scope="this process only",
    )


def compare_artifacts(
    reference: str | os.PathLike[str],
    variant: str | os.PathLike[str],
    *,
    batch: int = 1,
    settings: BenchSettings | None = None,
    trust: bool = False,
) -> PairedComparison:
    """Time two artifacts of the same format in fresh processes, after checking the outputs of both.

    Args:
        reference: an artifact in its bundle, such as `old/model.onnx`.
        variant: another, such as `new/model.onnx`.
        batch: batch size.
        settings: how much to measure; batches, reference and single_calls are ignored.
        trust: load TorchScript and .pt2 files that this user did not export; they are programs.

    Raises:
        MismatchError: the outputs of an artifact are wrong.
        LinregError: the artifacts cannot be timed.
    """
    paths = Path(reference), Path(variant)
    old, new = (read_artifact(path, trust=trust) for path in paths)
    if old.kind is not new.kind:
        raise LinregError(f"{paths[0]} and {paths[1]}: expected two artifacts of the same format, each in its bundle")
    plan = plan_against(old, new.subject, None, new)
    given = replace(settings or BenchSettings(), batches=(batch,), reference=AGAINST, single_calls=0)
    report = run_benchmark(
        plan.subjects,
        plan.variants,
        replace(given, threads=given.threads[:1]),
        bundle=plan.bundle,
        provided=plan.provided,
    )
    base, null, row = report.comparisons[0].rows[:3]
    if row.problem or row.ratio is None or row.verdict is None or null.ratio is None:
        raise MismatchError(row.problem)
    return PairedComparison(
        names=(str(paths[0]), str(paths[1])),
        ratio=row.ratio,
        null=null.ratio,
        verdict=row.verdict,
        reference_s=_seconds(base),
        variant_s=_seconds(row),
        scope=report.scope,
    )


def _names(*callables: Callable[[], object]) -> tuple[str, str]:
    """The names of two functions; `reference` and `variant` if one is a lambda, or if both have the same name."""
    first, second = (getattr(function, "__name__", "<") for function in callables)
    return ("reference", "variant") if first == second or "<" in first + second else (first, second)


def _figures(ratio: Ratio) -> str:
    return f"{ratio.estimate:.3f} ({ratio.low:.3f} to {ratio.high:.3f})"


def _median(blocks: Blocks) -> float:
    return float(np.median(blocks.call_s))


def _seconds(row: Row) -> float:
    assert row.median_s is not None, "a row without a problem has a latency"
    return row.median_s
