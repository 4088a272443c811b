"""Do the work of one process: sample a cold start, then check outputs and time rounds and tails at each batch size."""

import resource
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from bench.plan.expected import Expected, read_expected
from bench.plan.variants import NEEDS_TORCH, WITHOUT_OUTPUTS, Device, Kind, Variant
from bench.protocol import BINDINGS
from bench.worker.answers import ANYTHING, RowFailedError, bind, check_row
from bench.worker.building import build
from bench.worker.lifecycle import Imported, Lifecycle, measure_lifecycle, time_calls
from bench.worker.messages import Job, Measured, ProcessResult
from bench.worker.rounds import Blocks, BlockTimer, garbage_collector_off, measure_rounds
from bench.worker.stopping import until_narrow
from linreg.config import MOST_ROUNDS
from linreg.errors import LinregError, MismatchError

if TYPE_CHECKING:
    from export.runners.base import Call, Runner

TAIL_BUDGET_S = 0.1
"""Time limit in seconds for timing the calls of a row one by one, per batch size and process, if it has no budget."""


def measure(
    job: Job, *, imported: Imported | None = None, progress: Callable[[int], None] | None = None
) -> ProcessResult:
    """Run a job in this process, and return what it measured.

    Args:
        job: what to measure.
        imported: cost of importing the library of `job.fresh`; None to skip the lifecycle sample.
        progress: called with the number of rounds completed so far, over all batch sizes and thread counts.

    Raises:
        LinregError: the model cannot be loaded, or torch does not use the requested number of threads.
        MismatchError: the reference or the null row cannot be built or gives wrong outputs, so nothing can be compared
            with it.
    """
    expected = {name: read_expected(job.folder / f"{name}.npz") for name in job.subjects}
    lifecycle = None if imported is None else _lifecycle(job, imported, expected)
    sources = {name: subject.source() for name, subject in job.subjects.items()}
    rows: dict[tuple[int, int], dict[str, Measured]] = {}
    threads_read = {}
    before = resource.getrusage(resource.RUSAGE_SELF).ru_nivcsw
    rounds_s: list[float] = []
    places = len(job.threads) * len(job.batches)
    done = 0
    for threads in job.threads:
        with torch_threads(threads) as threads_read[threads]:
            runners, broken = _build_all(job, threads)
            for batch in job.batches:
                answers = {name: by_batch[batch] for name, by_batch in expected.items()}
                offset = done
                report = None if progress is None else lambda count, offset=offset: progress(offset + count)
                time_s = max(job.time_s - sum(rounds_s), 0.0) / (places - len(rows))
                measured = _measure_batch(job, runners, sources, answers, batch, time_s, rounds_s, report)
                rows[threads, batch] = {**broken, **measured}
                done += max(len(row.blocks.block_s) for row in measured.values() if row.blocks is not None)
    return ProcessResult(
        rows=rows,
        lifecycle=lifecycle,
        preempted=resource.getrusage(resource.RUSAGE_SELF).ru_nivcsw - before,
        torch_threads=threads_read,
    )


def _lifecycle(job: Job, imported: Imported, expected: dict[str, dict[int, Expected]]) -> Lifecycle | None:
    variant, threads = job.variant(job.fresh), job.threads[0]
    inputs = expected[variant.subject][min(job.batches)].inputs
    path = job.folder / variant.file if variant.file and variant.kind is not Kind.FACTORY else None
    # onnxruntime's sessions read their number back themselves, and are measured before torch is imported.
    own = torch_threads(threads) if variant.kind in NEEDS_TORCH else nullcontext(job.onnxruntime_threads or threads)
    try:
        with own as found:
            return measure_lifecycle(
                variant,
                imported,
                lambda: _build(job, variant, threads),
                lambda runner: runner.bind(inputs),
                path.stat().st_size if path is not None else 0,
                found,
            )
    except ANYTHING:  # a file that cannot be loaded, or that rejects the inputs; its row reports that
        return None


def _build_all(job: Job, threads: int) -> "tuple[dict[str, Runner], dict[str, Measured]]":
    """Build the runner of every row; return the runners, and the problem of each row that could not be built.

    Raises:
        MismatchError: the reference or the null row cannot be built.
    """
    runners, broken = {}, {}
    for variant in job.variants:
        try:
            runners[variant.name] = _build(job, variant, threads)
        except LinregError as error:
            broken[variant.name] = Measured(problem=str(error), worst_error=np.inf)
    for variant in (job.reference, job.null):
        if variant.name in broken:
            raise MismatchError(f"{broken[variant.name].problem}; nothing can be compared with it")
    return runners, broken


def _build(job: Job, variant: Variant, threads: int) -> "Runner":
    budget = job.onnxruntime_threads or threads
    return build(variant, job.subjects[variant.subject], job.folder, device=job.device, threads=budget)


@contextmanager
def torch_threads(threads: int) -> Iterator[int]:
    """Set the number of torch threads within the block, and yield the number that torch then reports.

    Raises:
        LinregError: torch reports another number.
    """
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        if (found := torch.get_num_threads()) != threads:
            raise LinregError(
                f"--threads {threads}: torch uses {found}, so the comparison would be unfair; "
                "unset OMP_NUM_THREADS and MKL_NUM_THREADS"
            )
        yield found
    finally:
        torch.set_num_threads(before)


def _measure_batch(
    job: Job,
    runners: "dict[str, Runner]",
    sources: dict[str, Any],
    expected: dict[str, Expected],
    batch: int,
    time_s: float,
    rounds_s: list[float],
    progress: Callable[[int], None] | None,
) -> dict[str, Measured]:
    """Check and time all rows at one batch size; append the seconds that the rounds took to `rounds_s`."""
    bound: dict[str, list[Call]] = {}
    bindings = 1 if batch in job.slow else BINDINGS
    before: dict[str, Measured] = {}

    def check(name: str) -> Measured:
        variant = job.variant(name)
        return check_row(
            variant, runners[name], bound[name], sources[variant.subject], expected[variant.subject], batch
        )

    for name, runner in runners.items():
        variant = job.variant(name)
        try:
            bound[name] = [bind(variant, runner, expected[variant.subject], batch) for _ in range(bindings)]
            before[name] = check(name)
        except MismatchError as error:
            before[name] = Measured(problem=str(error), worst_error=np.inf)
    while True:
        _require_reference(job, before)
        good = {name: calls for name, calls in bound.items() if not before[name].problem}
        try:
            timed = _time(job, good, batch, time_s, rounds_s, progress)
            break
        except RowFailedError as error:
            before[error.name] = Measured(problem=str(error), worst_error=np.inf)
    after = before | {name: check(name) for name in good}
    _require_reference(job, after)
    return {
        name: after[name]
        if after[name].problem
        else replace(
            timed[name],
            worst_error=max(before[name].worst_error, after[name].worst_error),
            bytes_equal=before[name].bytes_equal and after[name].bytes_equal,
        )
        for name in runners
    }


def _time(
    job: Job,
    calls: "dict[str, list[Call]]",
    batch: int,
    time_s: float,
    rounds_s: list[float],
    progress: Callable[[int], None] | None,
) -> dict[str, Measured]:
    """Time the rounds of all rows, then single calls of each row.

    Raises:
        RowFailedError: a row raised an exception.
    """
    first, *more = (
        {name: bound[place] for name, bound in calls.items()} for place in range(len(calls[job.reference.name]))
    )
    judged = [name for name in calls if name != job.reference.name and job.variant(name).kind not in WITHOUT_OUTPUTS]
    start = time.monotonic()
    blocks = measure_rounds(
        first,
        rounds=job.rounds or MOST_ROUNDS,
        seed=job.seed + batch,
        more=more,
        timer=_timer(job),
        stop=None if job.rounds else until_narrow(job.reference.name, judged, target=job.target, time_s=time_s),
        progress=progress,
    )
    rounds_s.append(time.monotonic() - start)
    with garbage_collector_off():
        singles = {name: _tail(call, blocks[name], job, *job.tails.get(name, ())) for name, call in first.items()}
    return {
        name: Measured(
            blocks=blocks[name],
            single_s=singles[name],
            launch_bound=job.device is Device.CUDA and _launch_bound(call, blocks[name]),
        )
        for name, call in first.items()
    }


def _require_reference(job: Job, answers: dict[str, Measured]) -> None:
    for variant in (job.reference, job.null):
        if answers[variant.name].problem:
            raise MismatchError(f"{answers[variant.name].problem}; nothing can be compared with it")


def _timer(job: Job) -> BlockTimer | None:
    if job.device is Device.CPU:
        return None
    from bench.worker.cuda import time_block_on_device

    return time_block_on_device


def _launch_bound(call: "Call", blocks: Blocks) -> bool:
    from bench.worker.cuda import LAUNCH_BOUND, time_launches

    with call.context():
        launched_s = time_launches(call.run, blocks.calls) * 1e-9
    return launched_s > LAUNCH_BOUND * float(np.median(blocks.block_s))


def _tail(call: "Call", blocks: Blocks, job: Job, calls: int = 0, time_s: float = 0.0) -> tuple[float, ...]:
    """Return the seconds of calls timed one by one; none on CUDA, where a call returns before its work is done.

    For a budget, `calls` are timed even if the time limit does not allow it, as long as they take at most `time_s`.
    """
    if job.device is Device.CUDA:
        return ()
    call_s = float(np.median(blocks.call_s))
    count = max(min(job.single_calls, int(TAIL_BUDGET_S / call_s)), min(calls, int(time_s / call_s)))
    return tuple(time_calls(call, count))
