"""Define the job that a fresh process reads and the result that it writes, both as JSON files.

The process reads its job before it times the import of a library. This file does not import numpy, since that would
already load a part of the library.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from math import inf
from pathlib import Path
from typing import TYPE_CHECKING, Any

from msgspec import convert

from bench.plan.subject import Subject
from bench.plan.variants import Device, Variant
from bench.worker.lifecycle import Lifecycle
from linreg.config import BENCH_DEFAULTS, ROUNDS_TIME_S

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from bench.worker.rounds import Blocks


@dataclass(frozen=True, kw_only=True)
class Job:
    """What one process measures.

    Attributes:
        variants: the rows that can run; the first is the reference, and the second is its copy, the null row.
        subjects: models by name; each variant must give the outputs of one of them.
        folder: the work folder, which has the artifacts and the expected outputs of each subject.
        device: device of all rows.
        batches: batch sizes.
        threads: intra-op threads of torch and ONNX Runtime; each number is measured separately.
        onnxruntime_threads: ONNX Runtime threads; None: same as torch.
        rounds: blocks of every variant at each batch size; None: until every interval is narrow or the time is up.
        seed: seed for the order within each round.
        fresh: name of the variant that this process loads and calls before any other; empty if there is none.
        single_calls: largest number of calls of each variant to time one by one for the tails; 0 for none.
        tails: for a row that has a budget, the calls that must be timed one by one, and the seconds they may take.
        target: half-width of every interval at which rounds stop, if `rounds` is None.
        slow: batch sizes at which a call is so slow that its inputs are bound once.
        time_s: seconds for all batch sizes and thread counts, if `rounds` is None. Each has at least six rounds.
        expected_s: seconds that the process is expected to take; it is ended if it takes much longer.
    """

    variants: tuple[Variant, ...]
    subjects: dict[str, Subject]
    folder: Path
    device: Device = Device.CPU
    batches: tuple[int, ...]
    threads: tuple[int, ...] = (1,)
    onnxruntime_threads: int | None = None
    rounds: int | None
    seed: int
    fresh: str = ""
    single_calls: int = 0
    tails: Mapping[str, tuple[int, float]] = field(default_factory=dict)
    target: float = BENCH_DEFAULTS.target
    time_s: float = ROUNDS_TIME_S
    slow: tuple[int, ...] = ()
    expected_s: float = 0.0

    def variant(self, name: str) -> Variant:
        """Return the row with this name."""
        return next(variant for variant in self.variants if variant.name == name)

    @property
    def reference(self) -> Variant:
        """The row that ratios refer to."""
        return self.variants[0]

    @property
    def null(self) -> Variant:
        """The second copy of the reference."""
        return self.variants[1]


def job_to_json(job: Job) -> dict[str, Any]:
    """Return a job as JSON values."""
    return {**asdict(job), "folder": str(job.folder)}


def job_from_json(value: Mapping[str, Any]) -> Job:
    """Parse a job from the JSON values of `job_to_json`."""
    return Job(
        **{
            **value,
            "variants": convert(value["variants"], tuple[Variant, ...]),
            "subjects": convert(value["subjects"], dict[str, Subject]),
            "folder": Path(value["folder"]),
            "device": Device(value["device"]),
            "batches": tuple(value["batches"]),
            "threads": tuple(value["threads"]),
            "slow": tuple(value["slow"]),
        }
    )


@dataclass(frozen=True, kw_only=True)
class Measured:
    """What one process measured for one variant at one batch size.

    Attributes:
        problem: why the variant failed or what is wrong with its outputs; empty if they are right.
        worst_error: largest error, before or after timing, in units of the allowed error; 0 for a row without outputs.
        bytes_equal: whether its outputs are bit-equal to eager's on the CPU, before and after timing.
        blocks: the timed blocks; None if there is a problem.
        single_s: seconds of calls timed one by one.
        launch_bound: whether, on CUDA, launches take most of the time.
    """

    problem: str = ""
    worst_error: float = 0.0
    bytes_equal: bool = False
    blocks: "Blocks | None" = None
    single_s: tuple[float, ...] = ()
    launch_bound: bool = False


@dataclass(frozen=True, kw_only=True)
class ProcessResult:
    """Everything that one process measured.

    Attributes:
        rows: measurements by (threads, batch size), then by name of the variant.
        lifecycle: the cold start; None if it was not measured or failed.
        preempted: number of involuntary context switches while the rows were built, checked and timed.
        torch_threads: number of threads that torch reported, by the number requested.
    """

    rows: dict[tuple[int, int], dict[str, Measured]]
    lifecycle: Lifecycle | None
    preempted: int
    torch_threads: dict[int, int]


def result_to_json(result: ProcessResult) -> dict[str, Any]:
    """Return a result as JSON values, with measured calls and blocks in whole nanoseconds."""
    return {
        "lifecycle": None if result.lifecycle is None else asdict(result.lifecycle),
        "preempted": result.preempted,
        "torch_threads": {str(requested): found for requested, found in result.torch_threads.items()},
        "rows": [
            {"threads": threads, "batch": batch, "name": name, **_measured_to_json(measured)}
            for (threads, batch), rows in result.rows.items()
            for name, measured in rows.items()
        ],
    }


def result_from_json(value: Mapping[str, Any]) -> ProcessResult:
    """Parse a result from the JSON values of `result_to_json`."""
    rows: dict[tuple[int, int], dict[str, Measured]] = {}
    for row in value["rows"]:
        rows.setdefault((row["threads"], row["batch"]), {})[row["name"]] = _measured_from_json(row)
    return ProcessResult(
        rows=rows,
        lifecycle=convert(value["lifecycle"], Lifecycle | None),
        preempted=value["preempted"],
        torch_threads={int(requested): found for requested, found in value["torch_threads"].items()},
    )


def _measured_to_json(measured: Measured) -> dict[str, Any]:
    value = {
        "problem": measured.problem,
        "worst_error": None if measured.problem else measured.worst_error,
        "bytes_equal": measured.bytes_equal,
        "single_ns": [round(second * 1e9) for second in measured.single_s],
        "launch_bound": measured.launch_bound,
    }
    if measured.blocks is not None:
        value |= {
            "calls": measured.blocks.calls,
            "block_ns": nanoseconds(measured.blocks.block_s),
            "host_ns": nanoseconds(measured.blocks.host_s),
        }
    return value


def _measured_from_json(row: Mapping[str, Any]) -> Measured:
    blocks = None
    if "calls" in row:
        import numpy as np

        from bench.worker.rounds import Blocks

        block_s, host_s = (np.array(row[key], dtype=np.float64) * 1e-9 for key in ("block_ns", "host_ns"))
        blocks = Blocks(calls=row["calls"], block_s=block_s, host_s=host_s)
    return Measured(
        problem=row["problem"],
        worst_error=inf if row["worst_error"] is None else row["worst_error"],
        bytes_equal=row["bytes_equal"],
        blocks=blocks,
        single_s=tuple(value * 1e-9 for value in row["single_ns"]),
        launch_bound=row["launch_bound"],
    )


def nanoseconds(seconds: "NDArray[np.float64]") -> list[int]:
    """Convert seconds back to the whole nanoseconds that the clock gave."""
    import numpy as np

    return [int(value) for value in np.rint(seconds * 1e9)]
