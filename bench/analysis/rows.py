"""Combine what each process measured into the rows of a comparison."""

from collections.abc import Sequence

import numpy as np

from bench.analysis.parts import Comparison, Row, RowProcess, Status
from bench.analysis.statistics import Ratio, over_processes, paired_ratio, verdict
from bench.plan.budget import TAIL_COUNTS
from bench.plan.variants import WITHOUT_OUTPUTS, Device, Kind, Variant
from bench.worker.messages import Job, Measured, ProcessResult, nanoseconds
from bench.worker.rounds import Blocks


def compare_results(job: Job, results: Sequence[ProcessResult], skipped: Sequence[Variant]) -> list[Comparison]:
    """Combine the results of all processes of a job into comparisons.

    Args:
        job: what each process did.
        results: one per process; empty if no variant can run here.
        skipped: variants that cannot run here; each has its reason.
    """
    return [
        Comparison(
            device=job.device,
            threads=threads,
            onnxruntime_threads=job.onnxruntime_threads or threads,
            batch=batch,
            rows=(
                *(_rows(job, batch, [result.rows[threads, batch] for result in results]) if results else ()),
                *(untimed(variant, Status.SKIPPED, variant.skipped) for variant in skipped),
            ),
        )
        for threads in job.threads
        for batch in job.batches
    ]


def untimed(variant: Variant, status: Status, reason: str) -> Row:
    """Return the row of a variant that gave wrong outputs or was skipped."""
    return Row(
        name=variant.name,
        kind=variant.kind,
        mode=variant.mode,
        origin=variant.origin,
        status=status,
        reason=reason,
        answers=variant.kind not in WITHOUT_OUTPUTS,
        bytes_equal=False if status is Status.WRONG else None,
        ratio=None,
        verdict=None,
        tails_s={},
        processes=(),
        onnx_optimization=_level(variant),
    )


def _rows(job: Job, batch: int, processes: list[dict[str, Measured]]) -> list[Row]:
    problems = {
        variant.name: next((rows[variant.name].problem for rows in processes if rows[variant.name].problem), "")
        for variant in job.variants
    }
    blocks = {
        name: tuple(blocks for rows in processes if (blocks := rows[name].blocks) is not None)
        for name, problem in problems.items()
        if not problem
    }
    reference = blocks[job.reference.name]
    ratios = {
        name: tuple(paired_ratio(own.call_s, base.call_s) for own, base in zip(series, reference, strict=True))
        for name, series in blocks.items()
    }
    null = over_processes(ratios[job.null.name])
    found = []
    for variant in job.variants:
        name = variant.name
        if problems[name]:
            found.append(untimed(variant, Status.WRONG, problems[name]))
            continue
        measured = [rows[name] for rows in processes]
        found.append(_timed(job, variant, batch, measured, blocks[name], ratios[name], null))
    return found


def _timed(
    job: Job,
    variant: Variant,
    batch: int,
    measured: list[Measured],
    blocks: tuple[Blocks, ...],
    ratios: tuple[Ratio, ...],
    null: Ratio,
) -> Row:
    answers = variant.kind not in WITHOUT_OUTPUTS
    has_ratio = variant is not job.reference and variant.kind is not Kind.FLOOR
    ratio = over_processes(ratios) if has_ratio else None
    judged = ratio is not None and answers and variant is not job.null
    singles_s = [second for entry in measured for second in entry.single_s]
    median_s = float(np.median([np.median(series.call_s) for series in blocks]))
    return Row(
        name=variant.name,
        kind=variant.kind,
        mode=variant.mode,
        origin=variant.origin,
        status=Status.TIMED,
        reason="",
        answers=answers,
        worst_error=float(max(entry.worst_error for entry in measured)) if answers else None,
        bytes_equal=all(entry.bytes_equal for entry in measured) if answers else None,
        median_s=median_s,
        host_median_s=float(np.median([np.median(series.host_s) / series.calls for series in blocks])),
        rows_per_s=batch / median_s if answers else None,
        ratio=ratio,
        verdict=verdict(ratio, null) if judged and ratio is not None else None,
        launch_bound=any(entry.launch_bound for entry in measured),
        tails_s=percentiles(singles_s),
        processes=tuple(
            RowProcess(
                ratio=own if has_ratio else None,
                calls_per_block=series.calls,
                block_ns=tuple(nanoseconds(series.block_s)),
                host_ns=None if job.device is Device.CPU else tuple(nanoseconds(series.host_s)),
            )
            for own, series in zip(ratios, blocks, strict=True)
        ),
        tail_calls=len(singles_s),
        onnx_optimization=_level(variant),
    )


def _level(variant: Variant) -> str | None:
    return variant.onnx_optimization if variant.of_onnxruntime else None


def percentiles(seconds: Sequence[float]) -> dict[str, float]:
    """Return, in seconds, each percentile for which there are enough calls."""
    return {
        name: float(np.quantile(seconds, part))
        for name, (part, needed) in TAIL_COUNTS.items()
        if len(seconds) >= needed
    }


def narrow_enough(job: Job, results: Sequence[ProcessResult], target: float, least: int) -> bool:
    """Return whether each interval has a half-width of at most `target`; rows without outputs are not counted.

    Args:
        job: what each process did.
        results: the results so far.
        target: the largest half-width, such as 0.01.
        least: smallest number of processes needed, since an interval over fewer may be narrow by chance.
    """
    if len(results) < least:
        return False
    widths = [
        row.ratio.half_width
        for comparison in compare_results(job, results, [])
        for row in comparison.rows
        if row.ratio is not None and row.answers
    ]
    return all(width <= target for width in widths)
