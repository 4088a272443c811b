"""Time a few calls of the reference before a benchmark, to estimate how long it will take."""

import time
from typing import TYPE_CHECKING

from bench.plan.expected import read_expected
from bench.worker.answers import ANYTHING
from bench.worker.building import build
from bench.worker.measurement import torch_threads
from bench.worker.messages import Job

if TYPE_CHECKING:
    from export.runners.base import Call

FEWEST_CALLS, CALLS, TIME_S = 3, 5, 0.2


def reference_call_s(job: Job) -> dict[int, float]:
    """Return the seconds of a call of the reference by batch size, with the first number of threads.

    There are none if it does not run: the process that times it says why.
    """
    threads = job.threads[0]
    try:
        with torch_threads(threads):
            expected = read_expected(job.folder / f"{job.reference.subject}.npz")
            runner = build(
                job.reference,
                job.subjects[job.reference.subject],
                job.folder,
                device=job.device,
                threads=job.onnxruntime_threads or threads,
            )
            return {batch: _least_s(runner.bind(expected[batch].inputs)) for batch in job.batches}
    except ANYTHING:
        return {}


def _least_s(call: "Call") -> float:
    """Return the seconds of the fastest of a few calls, since a busy machine may hold up most of them for long.

    They fetch the outputs, so that a device has done its work.
    """
    call.outputs()  # the first call is slower
    end, seconds = time.perf_counter() + TIME_S, []
    for done in range(CALLS):
        start = time.perf_counter()
        if done >= FEWEST_CALLS and start > end:
            break
        call.outputs()
        seconds.append(time.perf_counter() - start)
    return min(seconds)
