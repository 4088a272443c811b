"""The parts of a report: rows for variants, start-ups and runtimes, each with the blocks of its processes.

Their fields are those of bench.json (bench/report/schema.md). A bench.json is checked against their constraints.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated, Literal

from msgspec import Meta

from bench.analysis.statistics import Ratio, Verdict
from bench.plan.variants import Device, Kind, Origin
from export.runners.base import CallMode

LONGEST = 1000
"""Characters of a name that messages repeat, and entries of a list of thread counts."""

Count = Annotated[int, Meta(gt=0, lt=2**53)]
Name = Annotated[str, Meta(max_length=LONGEST)]

LEAST_RATIO, LARGEST_RATIO = 1e-12, 1e12
"""A ratio outside this range is not a measurement, and the quotient of two could overflow float64."""


class Status(StrEnum):
    """Whether a variant was timed, gave wrong outputs or was skipped."""

    TIMED = "timed"
    WRONG = "wrong"
    SKIPPED = "skipped"


@dataclass(frozen=True, kw_only=True)
class RowProcess:
    """What one process measured for one variant.

    Attributes:
        ratio: ratio to the reference in this process, with its interval over the rounds; None if the row has no ratio.
        calls_per_block: calls in each block.
        block_ns: duration of each block in nanoseconds; there is one block per round.
        host_ns: the same durations on the host's clock; None on the CPU, where both clocks are the same.
    """

    ratio: Ratio | None
    calls_per_block: int
    block_ns: tuple[int, ...]
    host_ns: tuple[int, ...] | None = None


@dataclass(frozen=True, kw_only=True)
class Row:
    """One variant at one batch size.

    Attributes:
        name: unique in its comparison.
        kind: what runs the model.
        mode: how a torch module is called.
        origin: whether its file came from the bundle or was rebuilt from the weights; None if it has no file.
        status: whether it was timed; only a timed variant has latencies and a ratio.
        reason: why its outputs are wrong, or why it was skipped; empty for a timed variant.
        answers: False for rows that give no output, such as the empty call; they get no verdict.
        worst_error: largest error over all outputs and processes, in units of the allowed error.
        bytes_equal: whether all outputs are bit-equal to eager's on the CPU; None if there are no outputs.
        median_s: seconds per call, the median over processes.
        host_median_s: the same on the host's clock; it differs from `median_s` only on CUDA.
        rows_per_s: batch size over `median_s`; None for a row without outputs.
        ratio: ratio to the reference row; None for the reference itself and for the empty call. If environments are
            compared, the reference is the same row in the first environment.
        verdict: the claim that the ratio supports; None for a row that is not judged.
        launch_bound: whether, on CUDA, most of the time is spent on launching kernels.
        tails_s: percentiles, in seconds, of calls timed one by one; a percentile that needs more calls is left out.
        processes: measurements of each process, in the order in which they ran; empty unless timed.
        tail_calls: number of calls timed one by one, over all processes.
        onnx_optimization: onnxruntime's level of graph optimisation; None for a row that it does not run.
    """

    name: Name
    kind: Kind
    mode: CallMode
    origin: Origin | None
    status: Status
    reason: Name
    answers: bool
    worst_error: float | None = None
    bytes_equal: bool | None = None
    median_s: float | None = None
    host_median_s: float | None = None
    rows_per_s: float | None = None
    ratio: Ratio | None
    verdict: Verdict | None
    launch_bound: bool = False
    tails_s: Mapping[str, float]
    processes: tuple[RowProcess, ...]
    tail_calls: int = 0
    onnx_optimization: Name | None = None

    def __post_init__(self) -> None:
        """Refuse a ratio that the gate could not compare.

        Raises:
            ValueError: a ratio is out of range, or a process has none although the row has one.
        """
        if self.ratio is None:
            return
        ratios = [self.ratio]
        if self.answers:
            if not self.processes:
                raise ValueError("processes is empty, expected one ratio per process")
            for place, process in enumerate(self.processes):
                if process.ratio is None:
                    raise ValueError(f"processes[{place}].ratio is null, expected estimate, low and high")
                ratios.append(process.ratio)
        for ratio in ratios:
            if not LEAST_RATIO <= ratio.estimate <= LARGEST_RATIO:
                raise ValueError(
                    f"the estimate of a ratio is {ratio.estimate:g}, expected {LEAST_RATIO:g} to {LARGEST_RATIO:g}"
                )
            if min(ratio.low, ratio.high) < 0:
                raise ValueError("the interval of a ratio is negative")

    @property
    def is_reference(self) -> bool:
        """Whether the ratios of other rows refer to this one."""
        return self.status is Status.TIMED and self.answers and self.ratio is None

    @property
    def problem(self) -> str:
        """The text that says in bench.json why there is no latency; empty for a timed variant."""
        return f"skipped: {self.reason}" if self.status is Status.SKIPPED else self.reason


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """All rows for one combination of device, thread count and batch size.

    Attributes:
        device: where the calls ran.
        threads: torch's intra-op threads.
        onnxruntime_threads: ONNX Runtime's intra-op threads.
        batch: batch size.
        rows: the reference first, then its second copy (the null row), then all others.
    """

    device: Device
    threads: Count
    onnxruntime_threads: Count
    batch: Count
    rows: tuple[Row, ...]


@dataclass(frozen=True, kw_only=True)
class LifecycleRow:
    """What a variant costs from the start of a process, as medians over the processes that loaded it before any other.

    Attributes:
        name: name of the variant.
        library: library that runs it.
        samples: number of processes.
        import_s: seconds to import the library, as the median over the samples of all its variants.
        load_s: seconds to turn the file, or the user's code, into something that can be called.
        calls_s: seconds of the first, second and third call.
        steady_s: seconds of a call once the variant is warm.
        calls_until_steady: calls before its latency is at most 10 % above `steady_s`; None if a process never was.
        memory_bytes: resident memory added by importing, loading and calling.
        file_bytes: size of the artifact; 0 without one.
        break_even_calls: calls after which it has caught up with eager, start-up included; 0 if it is ahead from the
            start, `never` if it does not stay ahead, None for eager itself or if a latency is missing.
        threads: intra-op threads of its library, as read back; None in reports of earlier versions, which did not set
            torch's.
    """

    name: str
    library: Literal["torch", "onnxruntime"]
    samples: int
    import_s: float
    load_s: float
    calls_s: tuple[float, float, float]
    steady_s: float
    calls_until_steady: int | None
    memory_bytes: int
    file_bytes: int
    break_even_calls: int | Literal["never"] | None = None
    threads: Count | None = None

    @property
    def third_call_s(self) -> float:
        """Seconds to import the library, load the variant and make three calls."""
        return self.import_s + self.load_s + sum(self.calls_s)


@dataclass(frozen=True, kw_only=True)
class RuntimeProcess:
    """What one process of a runtime measured; `block_ns` has the duration of each block in nanoseconds."""

    calls_per_block: int
    block_ns: tuple[int, ...]


@dataclass(frozen=True, kw_only=True)
class RuntimeRow:
    """One runtime at one batch size.

    Attributes:
        name: name of the runtime.
        version: version that the runtime reports.
        batch: batch size.
        proof: line in which its `verify` command sums up the check of the bundle's test vectors.
        median_s: seconds per call, the median over processes.
        rows_per_s: batch size over `median_s`.
        ratio: ratio to ONNX Runtime in Python; None for Python itself.
        processes: measurements of each process, in the order in which they ran.
    """

    name: str
    version: str
    batch: int
    proof: str
    median_s: float
    rows_per_s: float
    ratio: Ratio | None
    processes: tuple[RuntimeProcess, ...]


@dataclass(frozen=True, kw_only=True)
class Runtimes:
    """The timings of the model in runtimes that need no Python.

    Attributes:
        reference: name of the runtime that ratios refer to.
        missing: name of each runtime that was not timed, and the reason.
        rows: one per runtime and batch size.
    """

    reference: str
    missing: Mapping[str, str]
    rows: tuple[RuntimeRow, ...]
