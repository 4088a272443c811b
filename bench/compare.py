"""Compare the speed of two callables.

The callables are timed in this process only. In another process, with another memory layout, their ratio may differ
by a further 1 %.
"""

from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass

import numpy as np

from bench.analysis.statistics import Ratio, Verdict, paired_ratio, verdict
from bench.report.numbers import duration
from bench.worker.rounds import Blocks, measure_rounds
from bench.worker.stopping import until_narrow
from export.runners.base import Call
from linreg.config import BENCH_DEFAULTS, FEWEST_PAIRED_ROUNDS, MOST_ROUNDS, ROUNDS_TIME_S
from linreg.errors import LinregError
from linreg.escaping import html_table


@dataclass(frozen=True, kw_only=True)
class PairedComparison:
    """How a variant compares with its reference.

    Attributes:
        names: names of the reference and of the variant.
        ratio: time of the variant over that of the reference, with its 95 % interval.
        null: the same for the reference against itself, timed in the same rounds; it shows the noise of this machine.
        verdict: slower or faster (by more than 1 %, or than twice the noise if that is more), equivalent (within 2 %),
            or inconclusive.
        reference_s: median seconds per call of the reference.
        variant_s: median seconds per call of the variant.
        scope: where the intervals hold, which is `this process only`.
    """

    names: tuple[str, str]
    ratio: Ratio
    null: Ratio
    verdict: Verdict
    reference_s: float
    variant_s: float
    scope: str = "this process only"

    def __repr__(self) -> str:
        reference, variant = self.names
        return (
            f"{reference} {duration(self.reference_s)}, {variant} {duration(self.variant_s)}: {self.verdict}, "
            f"{variant}/{reference} = {_figures(self.ratio)}, {self.scope}"
        )

    def _repr_html_(self) -> str:
        reference, variant = self.names
        return html_table(
            ("", "median", "ratio (95 % interval)", "verdict"),
            [
                (reference, duration(self.reference_s), "1", ""),
                (variant, duration(self.variant_s), _figures(self.ratio), self.verdict),
            ],
        )


def compare(
    reference: Callable[[], object],
    variant: Callable[[], object],
    *,
    names: tuple[str, str] | None = None,
    rounds: int | None = None,
    seed: int = 0,
) -> PairedComparison:
    """Time two callables in paired, shuffled rounds in this process.

    Args:
        reference: callable to compare with, called without arguments.
        variant: callable to judge, called without arguments.
        names: names for the two in the result; None: their own names, or `reference` and `variant`.
        rounds: number of blocks of each callable; a block takes about 0.1 ms, or one call if that is longer. None: 99,
            and more, for up to four seconds, until both intervals are within 1 %.
        seed: seed for the order within each round.

    Raises:
        LinregError: there are too few rounds for a 95 % interval.

    Example:
        >>> result = compare(lambda: sum(range(100)), lambda: sum(range(200)), names=("short", "long"))
        >>> result.ratio.low > 1.5
        True
        >>> str(result.verdict)
        'slower'
    """
    for name, function in (("reference", reference), ("variant", variant)):
        if not callable(function):
            raise LinregError(f"{name}: got {type(function).__name__}, expected a function without arguments")
    if rounds is not None and (not isinstance(rounds, int) or rounds < FEWEST_PAIRED_ROUNDS):
        raise LinregError(
            f"rounds: got {rounds!r}, expected at least {FEWEST_PAIRED_ROUNDS}, since fewer give no 95 % interval"
        )
    calls = {
        name: Call(run=run, outputs=lambda: (), context=nullcontext)
        for name, run in (("reference", reference), ("null", reference), ("variant", variant))
    }
    narrow = until_narrow("reference", ("null", "variant"), target=BENCH_DEFAULTS.target, time_s=ROUNDS_TIME_S)
    blocks = measure_rounds(calls, rounds=rounds or MOST_ROUNDS, seed=seed, stop=None if rounds else narrow)
    ratio, null = (paired_ratio(blocks[name].call_s, blocks["reference"].call_s) for name in ("variant", "null"))
    return PairedComparison(
        names=names or _names(reference, variant),
        ratio=ratio,
        null=null,
        verdict=verdict(ratio, null),
        reference_s=_median(blocks["reference"]),
        variant_s=_median(blocks["variant"]),
    )


def _names(*callables: Callable[[], object]) -> tuple[str, str]:
    """Return the names of the callables, or `reference` and `variant` if one has no name or the names are equal."""
    first, second = (getattr(function, "__name__", "<") for function in callables)
    return ("reference", "variant") if first == second or "<" in first + second else (first, second)


def _figures(ratio: Ratio) -> str:
    return f"{ratio.estimate:.3f} ({ratio.low:.3f} to {ratio.high:.3f})"


def _median(blocks: Blocks) -> float:
    return float(np.median(blocks.call_s))
