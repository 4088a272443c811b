"""A whole benchmark: answers and artifacts first, then the same rounds in many processes, then one report."""

import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.comparison import Comparison, compare_results, narrow_enough
from bench.environment import describe_environment, stolen_s
from bench.expected import SEED
from bench.job import Device, Job
from bench.lifecycle import Lifecycle
from bench.measurement import measure
from bench.preparation import keep_states, prepare_answers, prepare_variants
from bench.processes import run_processes
from bench.results import ProcessResult
from bench.subject import Subject
from bench.variants import REFERENCE, Variant
from linreg.files import write_atomic

LEAST_PROCESSES = 7
"""Before this many no interval is believed to be narrow: stopping at 5 where it is one by chance covers 93 % of 95."""


@dataclass(frozen=True, kw_only=True)
class BenchSettings:
    """How much is measured.

    Attributes:
        batches: rows of input.
        threads: intra-op threads of torch and onnxruntime; each is measured by itself.
        rounds: blocks of every variant at each batch, in each process.
        processes: at the most; 1 measures in this process only.
        target: stop once every interval is within this part to either side.
        reference: the row that ratios refer to.
        single_calls: timed one by one for the tails, in each process.
    """

    batches: tuple[int, ...] = (1, 4096)
    threads: tuple[int, ...] = (1,)
    rounds: int = 100
    processes: int = 10
    target: float = 0.01
    reference: str = REFERENCE
    single_calls: int = 700


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


def run_benchmark(
    subjects: dict[str, Subject],
    variants: dict[Device, list[Variant]],
    settings: BenchSettings,
    *,
    bundle: Path | None,
    provided: Mapping[str, bytes],
    progress: Callable[[int], None] | None = None,
) -> Report:
    """Measure every variant on every device.

    Args:
        subjects: by name, `model` first; each variant must give the answers of one of them.
        variants: by device; those that cannot run here stand in the report with the reason.
        settings: how much is measured.
        bundle: where artifacts are taken from; they are made in memory where it has none.
        provided: artifacts by the name of their file, which come from elsewhere.
        progress: called with the number of processes done on a device.

    Raises:
        MismatchError: the reference row answers wrongly.
        LinregError: a process failed, or there is no such reference.
    """
    start, stolen = time.perf_counter(), stolen_s()
    environment = describe_environment()
    comparisons: list[Comparison] = []
    results: list[ProcessResult] = []
    lifecycles: list[Lifecycle] = []
    ran = 0
    with tempfile.TemporaryDirectory(prefix="linreg-bench-") as name:
        folder = Path(name)
        for file, data in provided.items():
            write_atomic(folder / file, data)
        sources = prepare_answers(folder, subjects, settings.batches)
        source, kept = sources["model"], keep_states(folder, subjects, sources)
        for device, rows in variants.items():
            prepared = prepare_variants(rows, source, bundle, folder, device=device, reference=settings.reference)
            job = Job(
                variants=prepared.variants,
                subjects=kept,
                folder=folder,
                device=device,
                batches=settings.batches,
                threads=settings.threads,
                rounds=settings.rounds,
                seed=SEED,
                single_calls=settings.single_calls,
            )
            own = list(_results(job, settings, progress)) if prepared.variants else []
            comparisons += compare_results(job, own, prepared.skipped)
            results += own
            ran = max(ran, len(own))
            if not lifecycles:  # of one device: what a start costs on another is another figure
                lifecycles = [result.lifecycle for result in own if result.lifecycle is not None]
    return Report(
        state_sha256=source.state_sha256,
        settings=settings,
        processes=ran,
        comparisons=tuple(comparisons),
        lifecycles=tuple(lifecycles),
        preempted=sum(result.preempted for result in results),
        stolen_s=stolen_s() - stolen,
        duration_s=time.perf_counter() - start,
        environment=environment,
    )


def _results(job: Job, settings: BenchSettings, progress: Callable[[int], None] | None) -> Iterator[ProcessResult]:
    if settings.processes == 1:
        rounds = settings.rounds * len(settings.batches) * len(settings.threads)
        yield measure(job, progress=None if progress is None else lambda done: progress(done // rounds))
        return

    def enough(so_far: Sequence[ProcessResult]) -> bool:
        return narrow_enough(job, so_far, settings.target, LEAST_PROCESSES)

    for place, result in enumerate(run_processes(job, settings.processes, enough)):
        yield result
        if progress is not None:
            progress(place + 1)
