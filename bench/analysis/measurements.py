"""Everything that one benchmark measured, before it becomes a report."""

from dataclasses import dataclass
from typing import Any

from bench.analysis.rows import Comparison
from bench.worker.lifecycle import Lifecycle
from linreg.config import BenchSettings


@dataclass(frozen=True, kw_only=True)
class Measurements:
    """What a benchmark measured, and where.

    Attributes:
        state_sha256: identity of the weights.
        settings: the settings it ran with.
        processes: number of processes, on the device that took the most.
        comparisons: by device, threads and batch.
        lifecycles: one sample per process, from the first device.
        preempted: involuntary context switches during the rounds.
        stolen_s: seconds that the host took from this machine meanwhile.
        duration_s: wall time of the whole benchmark.
        environment: machine and versions, as JSON values.
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
