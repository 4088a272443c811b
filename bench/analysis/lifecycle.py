"""Make the lifecycle rows: what each variant costs from the start of a process, and when it overtakes eager."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from statistics import median
from typing import Literal

from bench.analysis.parts import Comparison, LifecycleRow, Row, Status
from bench.plan.variants import NEEDS_TORCH, REFERENCE
from bench.worker.lifecycle import Lifecycle


def lifecycle_rows(comparisons: Sequence[Comparison], samples: Sequence[Lifecycle]) -> tuple[LifecycleRow, ...]:
    """Return one row per variant: the medians of its samples, and after how many calls it catches up with eager.

    A fresh process calls its variant at the smallest batch size, so the break-even uses the latencies at that size.
    Variants with wrong outputs are left out.
    """
    every = [row for comparison in comparisons for row in comparison.rows]
    wrong = {row.name for row in every if row.status is Status.WRONG}
    smallest = min(comparisons, key=lambda comparison: comparison.batch, default=None)
    call_s = {row.name: row.median_s for row in (smallest.rows if smallest else ())}
    by_name: dict[str, list[Lifecycle]] = {}
    for sample in samples:
        if sample.name not in wrong:
            by_name.setdefault(sample.name, []).append(sample)
    variants = {row.name: row for row in every}
    rows = [_row(variants[name], own) for name, own in by_name.items()]
    import_s = {library: median(_imports(library, rows, by_name)) for library in {row.library for row in rows}}
    rows = [replace(row, import_s=import_s[row.library]) for row in rows]
    eager = next((row for row in rows if row.name.startswith("eager")), None)
    return tuple(
        row
        if eager is None or row is eager
        else replace(row, break_even_calls=break_even(row, eager, call_s.get(row.name), call_s.get(REFERENCE)))
        for row in rows
    )


def _imports(library: str, rows: Sequence[LifecycleRow], samples: Mapping[str, Sequence[Lifecycle]]) -> list[float]:
    """Return the seconds of every import of a library; they do not depend on which variant is loaded afterwards."""
    return [sample.import_s for row in rows if row.library == library for sample in samples[row.name]]


def _row(variant: Row, samples: Sequence[Lifecycle]) -> LifecycleRow:
    steady = [sample.calls_until_steady for sample in samples]
    first, second, third = (median(sample.calls_s[place] for sample in samples) for place in range(3))
    return LifecycleRow(
        name=variant.name,
        library="torch" if variant.kind in NEEDS_TORCH else "onnxruntime",
        samples=len(samples),
        import_s=median(sample.import_s for sample in samples),
        load_s=median(sample.load_s for sample in samples),
        calls_s=(first, second, third),
        steady_s=median(sample.steady_s for sample in samples),
        calls_until_steady=None if None in steady else int(median(value for value in steady if value is not None)),
        memory_bytes=int(median(sample.memory_bytes for sample in samples)),
        file_bytes=samples[0].file_bytes,
        threads=samples[0].threads,
    )


def break_even(
    row: LifecycleRow, eager: LifecycleRow, call_s: float | None, eager_call_s: float | None
) -> int | Literal["never"] | None:
    """Return after how many calls a variant has caught up with eager, start-up included.

    Returns:
        0 if the variant is ahead from the start, `never` if it does not catch up or falls behind, None if a latency is
        missing.
    """
    if call_s is None or eager_call_s is None:
        return None
    behind = row.third_call_s - eager.third_call_s
    if behind <= 0:
        return 0 if call_s <= eager_call_s else "never"
    return math.ceil(behind / (eager_call_s - call_s)) if call_s < eager_call_s else "never"
