"""Turn the blocks of all environments into the rows of a report, and into the change of each row."""

import math
from collections.abc import Iterable, Sequence
from itertools import repeat

import numpy as np

from bench.analysis.environments import EnvironmentChange
from bench.analysis.parts import Comparison, Row, RowProcess, Status
from bench.analysis.statistics import EQUIVALENCE_MARGIN, Ratio, over_processes, paired_ratio, verdict
from bench.environments.answers import Answers
from bench.environments.timing import Key
from bench.plan.variants import Device, Kind
from bench.worker.messages import nanoseconds
from bench.worker.rounds import Blocks
from export.runners.base import CallMode
from linreg.config import BenchSettings

Timed = dict[tuple[Key, int], list[Blocks]]
"""The blocks of each set of processes, by row and batch size."""

WITHOUT_NULL = Ratio(estimate=1.0, low=1.0, high=1.0)
"""Each environment has its own process in every set, so the interval over sets already holds what a null row shows."""

CLAIM = EQUIVALENCE_MARGIN
"""The smallest difference between environments that a verdict claims. Where the pages of a library cannot be dropped,
since another process has mapped it, two installations of one version differ by up to 1.5 % (see `placement`)."""

CONFIDENCE = 0.965
"""Intervals of this confidence cover with 94.5 to 97 % when the sets stop once they are narrow. They are 8 % wider than
those of 95 %, which would cover with 92.6 % at worst (tests/benchmark/long/test_coverage.py)."""

FEWEST_SETS = 10
"""From ten sets on, a tenth is trimmed from each end."""


def over_sets(ratios: Sequence[Ratio]) -> Ratio:
    """Combine the ratios of several sets of processes."""
    return over_processes(ratios, CONFIDENCE)


def is_narrow(ratio: Ratio, target: float) -> bool:
    """Return whether an interval is within the target, or within a tenth of the difference that it shows."""
    return ratio.half_width <= max(target, abs(math.log(ratio.estimate)) / 10)


def row_name(key: Key) -> str:
    """Return the name of a row in the report, such as `old: onnxruntime-run`."""
    return f"{key[0]}: {key[1]}"


def changes(rows: Iterable[Key], first: str, settings: BenchSettings, timed: Timed) -> list[EnvironmentChange]:
    """Return the ratio of each row to the same row in the first environment, at each batch size."""
    found = []
    for key in rows:
        for batch in settings.batches:
            base = timed.get(((first, key[1]), batch))
            own = timed.get((key, batch))
            if key[0] == first or base is None or own is None:
                continue
            ratio = over_sets(_paired(own, base))
            found.append(
                EnvironmentChange(
                    environment=key[0],
                    row=key[1],
                    threads=settings.threads[0],
                    batch=batch,
                    ratio=ratio,
                    verdict=verdict(ratio, WITHOUT_NULL, claim=CLAIM),
                )
            )
    return found


def comparison(
    rows: Sequence[Key], first: str, batch: int, settings: BenchSettings, timed: Timed, answers: Answers
) -> Comparison:
    """Return the rows of all environments at one batch size; ratios are to the same row in the first environment."""
    return Comparison(
        device=Device.CPU,
        threads=settings.threads[0],
        onnxruntime_threads=settings.onnxruntime_threads or settings.threads[0],
        batch=batch,
        rows=tuple(
            _row(key, batch, timed.get((key, batch), []), timed.get(((first, key[1]), batch), []), answers)
            for key in rows
        ),
    )


def _row(key: Key, batch: int, own: Sequence[Blocks], base: Sequence[Blocks], answers: Answers) -> Row:
    result = answers.result(key)
    kind = Kind(key[1])
    if result.problem or not own:
        return Row(
            name=row_name(key),
            kind=kind,
            mode=CallMode.NO_GRAD,
            origin=None,
            status=Status.WRONG if result.problem else Status.SKIPPED,
            reason=result.problem or "no other environment gives the right outputs",
            answers=True,
            bytes_equal=False if result.problem else None,
            ratio=None,
            verdict=None,
            tails_s={},
            processes=(),
        )
    ratios = None if own is base else _paired(own, base)
    ratio = None if ratios is None else over_sets(ratios)
    median_s = float(np.median([np.median(series.call_s) for series in own]))
    return Row(
        name=row_name(key),
        kind=kind,
        mode=CallMode.NO_GRAD,
        origin=None,
        status=Status.TIMED,
        reason="",
        answers=True,
        worst_error=result.worst_error,
        bytes_equal=result.bit_identical,
        median_s=median_s,
        host_median_s=median_s,
        rows_per_s=batch / median_s,
        ratio=ratio,
        verdict=None if ratio is None else verdict(ratio, WITHOUT_NULL, claim=CLAIM),
        tails_s={},
        processes=tuple(
            RowProcess(ratio=entry, calls_per_block=series.calls, block_ns=tuple(nanoseconds(series.block_s)))
            for entry, series in zip(ratios or repeat(None, len(own)), own, strict=True)
        ),
    )


def _paired(own: Sequence[Blocks], base: Sequence[Blocks]) -> list[Ratio]:
    return [paired_ratio(one.call_s, other.call_s) for one, other in zip(own, base, strict=True)]
