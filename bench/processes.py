"""Run the same job in many fresh processes, one after the other.

Ratios differ between processes by about 1 % more than the interval within one process suggests, because each process
lays out memory differently. So the reported interval is the one over processes, and ten short processes tell more than
a long one.
"""

import math
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

from _linreg import child_command
from bench.analysis.rows import narrow_enough
from bench.analysis.statistics import EQUIVALENCE_MARGIN
from bench.plan.estimate import FEWEST_PROCESSES
from bench.plan.variants import Kind, Origin, Variant
from bench.worker.measurement import measure
from bench.worker.messages import Job, ProcessResult, job_to_json, result_from_json
from linreg.config import FEWEST_PROCESSES_TO_STOP, BenchSettings
from linreg.ending import signals_held
from linreg.errors import LinregError, MismatchError
from linreg.folders import work_folder
from linreg.json_files import read_json, write_json

TIMEOUT_S = 1800.0
"""Seconds that any process may take."""

TIMES_EXPECTED = 10
"""How many times as long as expected a process may take, if that is more."""

LIFECYCLE_KINDS = frozenset(Kind) - {Kind.FLOOR, Kind.COPY_TO_DEVICE, Kind.COPY_FROM_DEVICE, Kind.FACTORY}


def run_job(
    job: Job, settings: BenchSettings, progress: Callable[[int], None] | None, *, most_s: float = math.inf
) -> Iterator[ProcessResult]:
    """Run a job in this process, or in fresh ones until every interval is narrow enough.

    Every interval must be narrow with the last process and without it. Stopping at the first that is narrow would
    favour luck, and cover 93 % instead of 95 % (tests/benchmark/long/test_coverage.py). Nor does it stop before every
    variant has had a process that loads it first.

    Args:
        job: what each process does.
        settings: the largest number of processes, and the half-width at which to stop.
        progress: called with the number of processes completed.
        most_s: seconds after which no other process starts, once there are `FEWEST_PROCESSES`.

    Raises:
        MismatchError: the outputs of the reference are wrong.
        LinregError: a process failed.
    """
    if settings.processes == 1:
        yield measure(job)
        if progress is not None:
            progress(1)
        return

    start, fewest = time.monotonic(), max(FEWEST_PROCESSES_TO_STOP, len(lifecycle_names(job)) - 1)

    def enough(so_far: Sequence[ProcessResult]) -> bool:
        spent_s = time.monotonic() - start
        if len(so_far) >= FEWEST_PROCESSES and spent_s * (len(so_far) + 1) / len(so_far) > most_s:
            return True
        counts = (len(so_far) - 1, len(so_far))
        return all(narrow_enough(job, so_far[:count], target_after(count, settings), fewest) for count in counts)

    for place, result in enumerate(run_processes(job, settings.processes + settings.more_processes, enough)):
        yield result
        if progress is not None:
            progress(place + 1)


def target_after(processes: int, settings: BenchSettings) -> float:
    """Return the half-width of every interval that ends the benchmark after so many processes."""
    return settings.target if processes < settings.processes else max(settings.target, EQUIVALENCE_MARGIN)


def run_processes(job: Job, count: int, enough: Callable[[list[ProcessResult]], bool]) -> Iterator[ProcessResult]:
    """Run a job in up to `count` processes and yield each result as it comes, until `enough` returns True.

    Args:
        job: what each process does; each gets its own seed for the order within rounds.
        count: maximum number of processes.
        enough: called with the results so far; returns whether to stop.

    Raises:
        MismatchError: the outputs of the reference are wrong.
        LinregError: a process failed.
    """
    fresh = lifecycle_names(job)
    results: list[ProcessResult] = []
    for place in range(count):
        own = replace(job, seed=job.seed + 1000 * place, fresh=fresh[place % len(fresh)] if fresh else "")
        results.append(run_in_process(own))
        yield results[-1]
        if enough(results):
            return


def lifecycle_names(job: Job) -> list[str]:
    """Choose one variant for each way to load a model, since variants that load the same way share their samples.

    What people ship comes first, for benchmarks of few processes: onnxruntime, then eager to compare with, then files.
    """
    first: dict[tuple[Kind, str, str], Variant] = {}
    for variant in job.variants:
        if variant.kind in LIFECYCLE_KINDS:
            kind = Kind.ONNXRUNTIME_RUN if variant.kind is Kind.ONNXRUNTIME_IO_BINDING else variant.kind
            first.setdefault((kind, variant.file, variant.onnx_optimization), variant)
    smallest = next((variant for variant in first.values() if variant.of_onnxruntime), None)

    def place(variant: Variant) -> int:
        if variant is smallest:
            return 0
        if variant.kind is Kind.EAGER:
            return 1
        return 2 if variant.origin is Origin.BUNDLE else 3 if variant.file else 4

    return [variant.name for variant in sorted(first.values(), key=place)]


def run_in_process(job: Job) -> ProcessResult:
    """Run a job in a process of its own.

    Raises:
        MismatchError: the outputs of the reference are wrong.
        LinregError: the process failed.
    """
    with work_folder("linreg-bench-") as folder:
        task, answer = folder / "job.json", folder / "result.json"
        write_json(task, job_to_json(job))
        command = [*child_command("bench.worker.process"), str(task), str(answer)]
        code, told = _run(command, max(TIMEOUT_S, TIMES_EXPECTED * job.expected_s))
        if code == 0:
            return result_from_json(read_json(answer))
    if code < 0:  # killed by a signal: its output does not say why
        name = signal.Signals(-code).name
        raise LinregError(f"a process of the benchmark was ended by {name}; is there enough memory?")
    lines = told.strip().splitlines() or [f"it exited with code {code} and printed nothing"]
    message = lines[-1].removeprefix("error: ")[:500]
    if code == MismatchError.exit_code:
        raise MismatchError(message)
    raise LinregError(message if lines[-1].startswith("error: ") else f"a process of the benchmark failed: {message}")


def _run(command: list[str], timeout_s: float) -> tuple[int, str]:
    """Run a command, and kill it if this process is interrupted; return its exit code and what it wrote to stderr.

    `subprocess.run` would leave it running if the interrupt came as it starts.

    Raises:
        LinregError: it took too long.
    """
    process: subprocess.Popen[str] | None = None
    try:
        with signals_held():
            process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
            )
        told = process.communicate(timeout=timeout_s)[1]
    except subprocess.TimeoutExpired:
        raise LinregError(f"a process took more than {timeout_s:.0f} s; use fewer --rounds") from None
    finally:
        if process is not None and process.returncode is None:
            process.kill()
            process.communicate()
    return process.returncode, told
