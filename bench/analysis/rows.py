"""The rows of a report, from what the processes measured."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from bench.analysis.statistics import Ratio, Verdict, over_processes, paired_ratio, verdict
from bench.plan.variants import UNANSWERING, Device, Kind, Variant
from bench.worker.messages import Job, Measured, ProcessResult
from bench.worker.rounds import Blocks

TAIL_COUNTS = {"p50": (0.5, 11), "p90": (0.9, 64), "p99": (0.99, 662), "p99.9": (0.999, 6636)}
"""Each percentile, and how many calls it needs: MLPerf's early stopping at 99 % confidence with one call above it."""


@dataclass(frozen=True, kw_only=True)
class Row:
    """One variant at one batch.

    Attributes:
        variant: what was timed.
        problem: why it answers wrongly, or is not run; then it has no latency.
        worst_error: in units of what is allowed, over all processes; None where it answers wrongly, or nothing.
        bytes_equal: its outputs have the bytes of eager's on the CPU, in every process; None where it answers nothing.
        blocks: by process; empty where it has no latency.
        median_s: seconds a call, the median over processes.
        host_median_s: the same on the host's clock; differs on CUDA only.
        ratio: to the reference row; None for the reference itself, and for the empty call of the floor.
        process_ratios: of each process, with the interval of its rounds.
        verdict: what the ratio allows to say.
        tails: percentiles of calls timed one by one, in seconds, each only where there are enough of them.
        launch_bound: on CUDA, launching takes most of its time.
    """

    variant: Variant
    problem: str = ""
    worst_error: float | None = None
    bytes_equal: bool | None = None
    blocks: tuple[Blocks, ...] = ()
    median_s: float | None = None
    host_median_s: float | None = None
    ratio: Ratio | None = None
    process_ratios: tuple[Ratio, ...] = ()
    verdict: Verdict | None = None
    tails: Mapping[str, float] | None = None
    launch_bound: bool = False

    @property
    def name(self) -> str:
        """Of the variant."""
        return self.variant.name


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """All rows at one batch, with one count of threads, on one device.

    Attributes:
        device: where the calls ran.
        threads: of torch.
        onnxruntime_threads: the same number, unless another was asked for.
        batch: rows of input.
        rows: in the order of the report.
    """

    device: Device
    threads: int
    onnxruntime_threads: int
    batch: int
    rows: tuple[Row, ...]


def compare_results(job: Job, results: Sequence[ProcessResult], skipped: Sequence[Variant]) -> list[Comparison]:
    """Put the processes of a job together.

    Args:
        job: what each of them did.
        results: none where no variant could be run here.
        skipped: variants that could not be run here, with the reason.
    """
    return [
        Comparison(
            device=job.device,
            threads=threads,
            onnxruntime_threads=job.onnxruntime_threads or threads,
            batch=batch,
            rows=(
                *(_rows(job, [result.rows[threads, batch] for result in results]) if results else ()),
                *(Row(variant=variant, problem=f"skipped: {variant.skipped}") for variant in skipped),
            ),
        )
        for threads in job.threads
        for batch in job.batches
    ]


def _rows(job: Job, processes: list[dict[str, Measured]]) -> list[Row]:
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
        name, answers = variant.name, variant.kind not in UNANSWERING
        if problems[name]:
            found.append(Row(variant=variant, problem=problems[name], bytes_equal=False))
            continue
        measured = [rows[name] for rows in processes]
        alone = variant is job.reference or variant.kind is Kind.FLOOR
        ratio = None if alone else over_processes(ratios[name])
        judged = ratio is not None and answers and variant is not job.null
        found.append(
            Row(
                variant=variant,
                worst_error=max(entry.worst_error for entry in measured) if answers else None,
                bytes_equal=all(entry.bytes_equal for entry in measured) if answers else None,
                blocks=blocks[name],
                median_s=float(np.median([np.median(series.call_s) for series in blocks[name]])),
                host_median_s=float(np.median([np.median(series.host_s) / series.calls for series in blocks[name]])),
                ratio=ratio,
                process_ratios=() if ratio is None else ratios[name],
                verdict=verdict(ratio, null) if judged and ratio is not None else None,
                tails=percentiles([second for entry in measured for second in entry.single_s]),
                launch_bound=any(entry.launch_bound for entry in measured),
            )
        )
    return found


def percentiles(seconds: Sequence[float]) -> dict[str, float]:
    """The percentiles for which there are enough calls."""
    return {
        name: float(np.quantile(seconds, part))
        for name, (part, needed) in TAIL_COUNTS.items()
        if len(seconds) >= needed
    }


def narrow_enough(job: Job, results: Sequence[ProcessResult], target: float, least: int) -> bool:
    """Whether every interval of the rows that are judged is within `target` to either side.

    Args:
        job: what each process did.
        results: so far.
        target: such as 0.01.
        least: processes that are run in any case: an interval over fewer may be narrow by chance.
    """
    if len(results) < least:
        return False
    widths = [
        row.ratio.half_width
        for comparison in compare_results(job, results, [])
        for row in comparison.rows
        if row.ratio is not None and row.variant.kind not in UNANSWERING
    ]
    return all(width <= target for width in widths)
