"""Time the jobs of all devices: estimate them first, and start no process that would end too late."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from bench.plan.estimate import MOST_S, SLOW_CALL_S, Estimate, Work, estimate, shortened
from bench.plan.variants import Device
from bench.processes import run_job
from bench.protocol import FIRST_LOOK
from bench.worker.messages import Job, ProcessResult
from bench.worker.pilot import reference_call_s
from linreg.config import FEWEST_PROCESSES_TO_STOP, BenchSettings


@dataclass(frozen=True, kw_only=True)
class Timed:
    """What all processes measured.

    Attributes:
        results: the result of each process, by device.
        settings: the settings, with the number of processes that was planned.
        shortened: why fewer processes or rounds ran than by default; empty if that was not due to the time.
    """

    results: dict[Device, list[ProcessResult]]
    settings: BenchSettings
    shortened: str

    @property
    def processes_run(self) -> int:
        """Number of processes that ran, on the device with the most."""
        return max(map(len, self.results.values()), default=0)


def time_devices(
    jobs: Mapping[Device, Job],
    settings: BenchSettings,
    *,
    spent_s: float,
    progress: Callable[[int], None] | None,
    begin: Callable[[Estimate], None] | None,
) -> Timed:
    """Run the jobs of the devices that have rows, one device after the other.

    Args:
        jobs: the job of each device that has rows.
        settings: how much to measure.
        spent_s: seconds that the benchmark has already taken.
        progress: called with the number of processes completed on a device.
        begin: called before the first process with what the benchmark is going to do.

    Raises:
        MismatchError: the outputs of the reference are wrong.
        LinregError: a process failed.
    """
    works = {
        device: Work(rows=len(job.variants), call_s=reference_call_s(job), tails=[*job.tails.values()])
        for device, job in jobs.items()
    }
    expected = estimate([*works.values()], settings)
    if begin is not None and jobs:
        begin(expected)
    limited, planned = bool(settings.more_processes), expected.settings
    found = Timed(
        results={
            device: list(
                run_job(
                    _expecting(job, works[device].call_s, expected.process_s),
                    planned,
                    progress,
                    most_s=(MOST_S - spent_s) / len(jobs) if limited else math.inf,
                )
            )
            for device, job in jobs.items()
        },
        settings=planned,
        shortened="",
    )
    if not jobs:
        return found
    count = found.processes_run
    by_time = limited and (count == planned.processes or count < FEWEST_PROCESSES_TO_STOP)
    processes = count if by_time else settings.processes
    return replace(found, shortened=shortened([*works.values()], settings, processes, _fewest_rounds(found)))


def _fewest_rounds(timed: Timed) -> int:
    rows = (
        row
        for results in timed.results.values()
        for result in results
        for rows in result.rows.values()
        for row in rows.values()
    )
    return min((len(row.blocks.block_s) for row in rows if row.blocks is not None), default=FIRST_LOOK)


def _expecting(job: Job, call_s: Mapping[int, float], process_s: float) -> Job:
    """Return a job that knows at which batch sizes a call is slow, and how long a process is expected to take."""
    slow = tuple(batch for batch, seconds in call_s.items() if seconds >= SLOW_CALL_S)
    return replace(job, slow=slow, expected_s=process_s)
