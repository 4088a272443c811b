"""Prepare expected outputs and artifacts, time every variant on every device, and make the report."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from bench.analysis.lifecycle import lifecycle_rows
from bench.analysis.rows import compare_results
from bench.devices import Timed, time_devices
from bench.environment import describe_environment, stolen_s
from bench.plan.budget import Budget, tails
from bench.plan.estimate import FEWEST_PROCESSES, Estimate
from bench.plan.expected import SEED
from bench.plan.preparation import Prepared, keep_states, prepare_answers, prepare_devices
from bench.plan.subject import Subject
from bench.plan.variants import NULL, WITHOUT_OUTPUTS, Device, Variant
from bench.processes import lifecycle_names
from bench.report.report import Quality, Report, Settings
from bench.worker.lifecycle import Lifecycle
from bench.worker.messages import Job
from export.source.axes import BATCH
from linreg.config import BenchSettings
from linreg.files import write_atomic
from linreg.folders import work_folder

if TYPE_CHECKING:
    from export.source.given_inputs import GivenInputs


def run_benchmark(
    subjects: dict[str, Subject],
    variants: dict[Device, list[Variant]],
    settings: BenchSettings,
    *,
    bundle: Path | None,
    provided: Mapping[str, bytes],
    own: "Sequence[GivenInputs]" = (),
    budgets: Sequence[Budget] = (),
    trust: bool = False,
    progress: Callable[[int], None] | None = None,
    begin: Callable[[Estimate], None] | None = None,
) -> Report:
    """Measure every variant on every device.

    Args:
        subjects: models by name, `model` first; each variant must give the outputs of one of them.
        variants: variants by device; those that cannot run on this machine are reported as skipped, with the reason.
        settings: how much to measure.
        bundle: folder that artifacts are taken from; those that it lacks are exported in memory.
        provided: bytes of artifacts that are not from the bundle, by file name.
        own: the user's own inputs of the module, one set for each batch size; random values if there are none.
        budgets: limits of the tails, for which enough calls are timed one by one.
        trust: time programs of the bundle that this user did not export, instead of exporting them again.
        progress: called with the number of processes completed on a device.
        begin: called before the first process with what the benchmark is going to do.

    Raises:
        MismatchError: the outputs of the reference are wrong.
        LinregError: a process failed, or the reference row does not exist or cannot run.
    """
    start, stolen = time.perf_counter(), stolen_s()
    environment = describe_environment()
    with work_folder("linreg-bench-") as folder:
        for file, data in provided.items():
            write_atomic(folder / file, data)
        sources = prepare_answers(folder, subjects, settings.batches, own)
        source, kept = sources["model"], keep_states(folder, subjects, sources)
        ready = prepare_devices(
            variants, source, bundle, folder, provided=provided, reference=settings.reference, trust=trust
        )
        jobs = {device: _job(kept, folder, device, prepared, settings, budgets) for device, prepared in ready.items()}
        timed = time_devices(
            {device: job for device, job in jobs.items() if job.variants},
            settings,
            spent_s=time.perf_counter() - start,
            progress=progress,
            begin=begin,
        )
    comparisons = tuple(
        comparison
        for device, job in jobs.items()
        for comparison in compare_results(job, timed.results.get(device, []), ready[device].skipped)
    )
    cold, missing = _lifecycles(jobs, timed)
    run = Settings(**asdict(timed.settings), processes_run=timed.processes_run)
    return Report(
        state_sha256=source.state_sha256,
        reference=settings.reference,
        scope=run.scope,
        settings=run,
        environment=environment,
        quality=Quality(
            preempted=sum(result.preempted for results in timed.results.values() for result in results),
            stolen_s=round(stolen_s() - stolen, 2),
            duration_s=round(time.perf_counter() - start, 1),
            shortened=timed.shortened,
        ),
        comparisons=comparisons,
        lifecycle=lifecycle_rows(comparisons, cold),
        lifecycle_missing=missing,
        sizes={name: size for name, size in source.sizes().items() if name != BATCH},
    )


def _job(
    subjects: dict[str, Subject],
    folder: Path,
    device: Device,
    prepared: Prepared,
    settings: BenchSettings,
    budgets: Sequence[Budget],
) -> Job:
    answering = [row.name for row in prepared.variants if row.kind not in WITHOUT_OUTPUTS and row.name != NULL]
    limited = tails(budgets, answering, min(settings.processes, FEWEST_PROCESSES)) if device is Device.CPU else {}
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
        target=settings.target,
        tails=limited,
    )


def _lifecycles(jobs: Mapping[Device, Job], timed: Timed) -> tuple[tuple[Lifecycle, ...], tuple[str, ...]]:
    """Return the samples of the first device that has any, and the variants that no process was left for.

    Start-up costs differ between devices.
    """
    for device, results in timed.results.items():
        found = tuple(result.lifecycle for result in results if result.lifecycle is not None)
        if found:
            return found, tuple(lifecycle_names(jobs[device])[len(results) :])
    return (), ()
