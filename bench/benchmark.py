"""A whole benchmark: answers and artifacts first, then the same rounds in many processes, then one report."""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.analysis.rows import Comparison, compare_results, narrow_enough
from bench.analysis.statistics import EQUIVALENCE_MARGIN
from bench.environment import describe_environment, stolen_s
from bench.plan.expected import SEED
from bench.plan.preparation import (
    Prepared,
    keep_states,
    mark_unavailable,
    prepare_answers,
    prepare_variants,
    provide_files,
)
from bench.plan.subject import Subject
from bench.plan.variants import Origin, Variant
from bench.processes import run_processes
from bench.worker.job import Device, Job
from bench.worker.lifecycle import Lifecycle
from bench.worker.measurement import measure
from bench.worker.results import ProcessResult
from linreg.config import BenchSettings
from linreg.files import write_atomic
from linreg.folders import work_folder

LEAST_PROCESSES = 7
"""Before this many no interval is believed to be narrow: stopping at 5 where it is one by chance covers 93 % of 95."""


@dataclass(frozen=True, kw_only=True)
class Report:
    """What was measured, and where.

    Attributes:
        state_sha256: of the weights.
        settings: what was asked.
        processes: how many ran, on the device where it took the most.
        comparisons: by device, threads and batch.
        lifecycles: one sample a process, of the first device.
        preempted: how often the system took the processor away during the rounds.
        stolen_s: what the host took from this machine meanwhile.
        duration_s: of everything.
        environment: as JSON values.
    """

    state_sha256: str
    settings: BenchSettings
    processes: int
    comparisons: tuple[Comparison, ...]
    lifecycles: tuple[Lifecycle, ...]
    preempted: int
    stolen_s: float
    duration_s: float
    environment: dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class _DeviceResults:
    """One device: its job, what each process measured, and the rows that were not run."""

    job: Job
    results: list[ProcessResult]
    skipped: tuple[Variant, ...]


def run_benchmark(
    subjects: dict[str, Subject],
    variants: dict[Device, list[Variant]],
    settings: BenchSettings,
    *,
    bundle: Path | None,
    provided: Mapping[str, bytes],
    trust: bool = False,
    progress: Callable[[int], None] | None = None,
) -> Report:
    """Measure every variant on every device.

    Args:
        subjects: by name, `model` first; each variant must give the answers of one of them.
        variants: by device; those that cannot run here stand in the report with the reason.
        settings: how much is measured.
        bundle: where artifacts are taken from; they are made in memory where it has none.
        provided: artifacts by the name of their file, which come from elsewhere.
        trust: time programs of the bundle that this user did not export, instead of the same made anew.
        progress: called with the number of processes done on a device.

    Raises:
        MismatchError: the reference row answers wrongly.
        LinregError: a process failed, or there is no such reference.
    """
    start, stolen = time.perf_counter(), stolen_s()
    environment = describe_environment()
    with work_folder("linreg-bench-") as folder:
        for file, data in provided.items():
            write_atomic(folder / file, data)
        sources = prepare_answers(folder, subjects, settings.batches)
        source, kept = sources["model"], keep_states(folder, subjects, sources)
        files: dict[str, Origin | str] = dict.fromkeys(provided, Origin.BUNDLE)
        ready = {}
        for device, rows in variants.items():
            marked = mark_unavailable(rows, device)
            files = provide_files(marked, source, bundle, folder, given=files, trust=trust)
            ready[device] = prepare_variants(marked, files, device=device, reference=settings.reference)
        measured = [
            _measure(_job(kept, folder, device, prepared, settings), prepared, settings, progress)
            for device, prepared in ready.items()
        ]
    results = [result for entry in measured for result in entry.results]
    return Report(
        state_sha256=source.state_sha256,
        settings=settings,
        processes=max((len(entry.results) for entry in measured), default=0),
        comparisons=tuple(
            comparison for one in measured for comparison in compare_results(one.job, one.results, one.skipped)
        ),
        lifecycles=_lifecycles(measured),
        preempted=sum(result.preempted for result in results),
        stolen_s=stolen_s() - stolen,
        duration_s=time.perf_counter() - start,
        environment=environment,
    )


def _job(
    subjects: dict[str, Subject], folder: Path, device: Device, prepared: Prepared, settings: BenchSettings
) -> Job:
    return Job(
        variants=prepared.variants,
        subjects=subjects,
        folder=folder,
        device=device,
        batches=settings.batches,
        threads=settings.threads,
        onnxruntime_threads=settings.onnxruntime_threads,
        rounds=settings.rounds,
        seed=SEED,
        single_calls=settings.single_calls,
    )


def _measure(
    job: Job, prepared: Prepared, settings: BenchSettings, progress: Callable[[int], None] | None
) -> _DeviceResults:
    results = list(_results(job, settings, progress)) if prepared.variants else []
    return _DeviceResults(job=job, results=results, skipped=prepared.skipped)


def _lifecycles(measured: list[_DeviceResults]) -> tuple[Lifecycle, ...]:
    """Of the first device that has any: what a start costs on another is another figure."""
    for entry in measured:
        found = tuple(result.lifecycle for result in entry.results if result.lifecycle is not None)
        if found:
            return found
    return ()


def _results(job: Job, settings: BenchSettings, progress: Callable[[int], None] | None) -> Iterator[ProcessResult]:
    if settings.processes == 1:
        rounds = settings.rounds * len(settings.batches) * len(settings.threads)
        yield measure(job, progress=None if progress is None else lambda done: progress(done // rounds))
        return

    def enough(so_far: Sequence[ProcessResult]) -> bool:
        target = settings.target if len(so_far) < settings.processes else max(settings.target, EQUIVALENCE_MARGIN)
        return narrow_enough(job, so_far, target, LEAST_PROCESSES)

    for place, result in enumerate(run_processes(job, settings.processes + settings.more_processes, enough)):
        yield result
        if progress is not None:
            progress(place + 1)
