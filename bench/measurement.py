"""What one process does: its lifecycle sample, then at each batch equality, paired rounds, equality again, tails."""

import resource
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np

from bench.building import build
from bench.expected import Array, Expected, read_expected
from bench.job import Device, Job
from bench.lifecycle import Imported, Lifecycle, measure_lifecycle, time_calls
from bench.results import Measured, ProcessResult
from bench.rounds import Blocks, BlockTimer, garbage_collector_off, measure_rounds
from bench.variants import UNANSWERING, Kind, Variant
from linreg.errors import LinregError, MismatchError, one_line

if TYPE_CHECKING:
    from export.runners import Call, Runner

BINDINGS = 5
"""How often each row is bound to inputs of its own: one address in ten costs onnxruntime 60 % at batch 4096 here."""

TAIL_BUDGET_S = 0.1
"""At most so long are the calls of one row timed one by one, at each batch in each process."""


def measure(
    job: Job, *, imported: Imported | None = None, progress: Callable[[int], None] | None = None
) -> ProcessResult:
    """Do a job in this process.

    Args:
        job: what is measured.
        imported: what the library of the job's fresh variant cost this process; None where the process is not fresh.
        progress: called with the number of rounds done, over all batches and thread counts.

    Raises:
        LinregError: a variant cannot be built, or has other threads than it was given.
        MismatchError: the reference or the null row answers wrongly, so that nothing can be compared with it.
    """
    expected = {name: read_expected(job.folder / f"{name}.npz") for name in job.subjects}
    lifecycle = None if imported is None else _lifecycle(job, imported, expected)
    sources = {name: subject.source() for name, subject in job.subjects.items()}
    rows, threads_read = {}, {}
    before = resource.getrusage(resource.RUSAGE_SELF).ru_nivcsw
    done = 0
    for threads in job.threads:
        with torch_threads(threads) as threads_read[threads]:
            runners, broken = _build_all(job, threads)
            for batch in job.batches:
                answers = {name: by_batch[batch] for name, by_batch in expected.items()}
                offset = done
                report = None if progress is None else lambda count, offset=offset: progress(offset + count)
                measured = _measure_batch(job, runners, sources, answers, batch, report)
                rows[threads, batch] = {**broken, **measured}
                done += job.rounds
    return ProcessResult(
        rows=rows,
        lifecycle=lifecycle,
        preempted=resource.getrusage(resource.RUSAGE_SELF).ru_nivcsw - before,
        torch_threads=threads_read,
    )


def _lifecycle(job: Job, imported: Imported, expected: dict[str, dict[int, Expected]]) -> Lifecycle | None:
    variant = job.variant(job.fresh)
    inputs = expected[variant.subject][min(job.batches)].inputs
    path = job.folder / variant.file if variant.file and variant.kind is not Kind.FACTORY else None
    try:
        return measure_lifecycle(
            variant,
            imported,
            lambda: _build(job, variant, job.threads[0]),
            lambda runner: runner.bind(inputs),
            path.stat().st_size if path is not None else 0,
        )
    except Exception:  # of a file that cannot be loaded or refuses the inputs; its row will say so
        return None


def _build_all(job: Job, threads: int) -> "tuple[dict[str, Runner], dict[str, Measured]]":
    """The runners of all rows, and what is wrong with those that cannot be made.

    Raises:
        MismatchError: the reference or the null row is among these.
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
    """Give torch its threads until the end, and yield how many it has.

    Raises:
        LinregError: it has others.
    """
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        if (found := torch.get_num_threads()) != threads:
            raise LinregError(
                f"--threads {threads}: torch has {found}, so budgets would be unequal; "
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
    progress: Callable[[int], None] | None,
) -> dict[str, Measured]:
    bound: dict[str, list[Call]] = {}
    before: dict[str, Measured] = {}

    def ask(name: str) -> Measured:
        variant = job.variant(name)
        return _answer(variant, runners[name], bound[name], sources[variant.subject], expected[variant.subject], batch)

    for name, runner in runners.items():
        try:
            bound[name] = [_bind(job.variant(name), runner, expected, batch) for _ in range(BINDINGS)]
            before[name] = ask(name)
        except MismatchError as error:
            before[name] = Measured(problem=str(error), worst_error=np.inf)
    _need_reference(job, before)
    good = {name: calls for name, calls in bound.items() if not before[name].problem}
    first, *more = ({name: calls[place] for name, calls in good.items()} for place in range(BINDINGS))
    blocks = measure_rounds(
        first, rounds=job.rounds, seed=job.seed + batch, more=more, timer=_timer(job), progress=progress
    )
    with garbage_collector_off():
        singles = {name: _tail(call, blocks[name], job) for name, call in first.items()}
    launch = {name: job.device is Device.CUDA and _launch_bound(call, blocks[name]) for name, call in first.items()}
    after = before | {name: ask(name) for name in good}
    _need_reference(job, after)
    return {
        name: after[name]
        if after[name].problem
        else Measured(
            worst_error=max(before[name].worst_error, after[name].worst_error),
            bytes_equal=before[name].bytes_equal and after[name].bytes_equal,
            blocks=blocks[name],
            single_s=singles[name],
            launch_bound=launch[name],
        )
        for name in runners
    }


def _bind(variant: Variant, runner: "Runner", expected: dict[str, Expected], batch: int) -> "Call":
    try:
        return runner.bind(expected[variant.subject].inputs)
    except Exception as error:  # each runtime raises classes of its own; a file may take other inputs
        raise MismatchError(
            f"{variant.name}: batch {batch}: does not take its inputs, expected an answer: {one_line(error)}"
        ) from error


def _answer(
    variant: Variant, runner: "Runner", calls: "list[Call]", source: Any, expected: Expected, batch: int
) -> Measured:
    """Ask once: the weights first, as a bound on the outputs cannot see one bit of them."""
    from export.verify import check_parameters, compare_all

    if variant.kind in UNANSWERING:
        return Measured()
    try:
        if variant.kind is not Kind.FACTORY:
            check_parameters(runner, source)
        answers = [_outputs(variant, call, batch) for call in calls]
        worst = max(
            compare_all(variant.name, f"batch {batch}", expected.output_names, outputs, expected.references())
            for outputs in answers
        )
    except MismatchError as error:
        return Measured(problem=str(error), worst_error=np.inf)
    equal = all(tuple(output.tobytes() for output in outputs) == expected.eager_bytes for outputs in answers)
    return Measured(worst_error=worst, bytes_equal=equal)


def _outputs(variant: Variant, call: "Call", batch: int) -> tuple[Array, ...]:
    try:
        return call.outputs()
    except Exception as error:  # each runtime raises classes of its own; a file with a fixed batch refuses others
        raise MismatchError(
            f"{variant.name}: batch {batch}: does not run, expected an answer: {one_line(error)}"
        ) from error


def _need_reference(job: Job, answers: dict[str, Measured]) -> None:
    for variant in (job.reference, job.null):
        if answers[variant.name].problem:
            raise MismatchError(f"{answers[variant.name].problem}; nothing can be compared with it")


def _timer(job: Job) -> BlockTimer | None:
    if job.device is Device.CPU:
        return None
    from bench.cuda import time_block_on_device

    return time_block_on_device


def _launch_bound(call: "Call", blocks: Blocks) -> bool:
    from bench.cuda import LAUNCH_BOUND, time_launches

    with call.context():
        launched_s = time_launches(call.run, blocks.calls) * 1e-9
    return launched_s > LAUNCH_BOUND * float(np.median(blocks.block_s))


def _tail(call: "Call", blocks: Blocks, job: Job) -> tuple[float, ...]:
    """Calls timed one by one; none on CUDA, where a call returns before it is done."""
    if job.device is Device.CUDA:
        return ()
    count = min(job.single_calls, int(TAIL_BUDGET_S / float(np.median(blocks.call_s))))
    return tuple(time_calls(call, count))
