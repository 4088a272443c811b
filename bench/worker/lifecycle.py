"""What a runtime costs before it is fast: import, load, the first calls, and memory.

Each process loads one variant before it has loaded any other, so every process gives one honest sample of it.
"""

import math
import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from itertools import repeat
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING

from bench.plan.variants import NEEDS_TORCH, Variant

if TYPE_CHECKING:
    from export.runners.base import Call, Runner

CALLS = 300
FEWEST_CALLS = 10
CALLS_S = 1.0
"""No more calls once they have taken so long; ten in any case."""

STEADY_WINDOW = 5
STEADY_MARGIN = 0.1


@dataclass(frozen=True, kw_only=True)
class Lifecycle:
    """One sample of one variant, from the start of its process.

    Attributes:
        name: of the variant.
        import_s: of the library that runs it.
        load_s: from the file, or the user's code, to something that can be called.
        calls_s: the first, second and third call.
        steady_s: a call at the end of `CALLS` calls, timed one by one: the median of the last fifty, or of the last
            half of the calls of a slow variant.
        calls_until_steady: after so many calls a window of five is within 10 % of `steady_s`; None: after none.
        memory_bytes: resident memory that importing, loading and calling added.
        file_bytes: of the artifact; 0 where there is none.
    """

    name: str
    import_s: float
    load_s: float
    calls_s: tuple[float, float, float]
    steady_s: float
    calls_until_steady: int | None
    memory_bytes: int
    file_bytes: int


@dataclass(frozen=True, kw_only=True)
class Imported:
    """What importing a library cost this process: seconds, and resident memory."""

    seconds: float
    memory_bytes: int


def import_library(variant: Variant) -> Imported:
    """Import the library that runs a variant, before anything else was imported."""
    memory, start = resident_bytes(), time.perf_counter()
    if variant.kind in NEEDS_TORCH:
        import torch  # noqa: F401
    else:
        import onnxruntime  # noqa: F401
    return Imported(seconds=time.perf_counter() - start, memory_bytes=resident_bytes() - memory)


def measure_lifecycle(
    variant: Variant,
    imported: Imported,
    build: "Callable[[], Runner]",
    bind: "Callable[[Runner], Call]",
    file_bytes: int,
) -> Lifecycle:
    """Build and call a variant for the first time in this process.

    Args:
        variant: that no other was loaded before.
        imported: what its library cost.
        build: makes its runner.
        bind: gives the runner its inputs.
        file_bytes: of its artifact.
    """
    # Our own code, and what it imports, is not the runtime's.
    if variant.kind in NEEDS_TORCH:
        import export.runners.torch
    else:
        import export.runners.onnxruntime  # noqa: F401

    memory = resident_bytes()
    start = time.perf_counter()
    call = bind(build())
    load_s = time.perf_counter() - start
    seconds = time_calls(call, CALLS, CALLS_S)
    added = imported.memory_bytes + resident_bytes() - memory
    steady_s = median(seconds[-min(50, len(seconds) // 2 + 1) :])
    return Lifecycle(
        name=variant.name,
        import_s=imported.seconds,
        load_s=load_s,
        calls_s=(seconds[0], seconds[1], seconds[2]),
        steady_s=steady_s,
        calls_until_steady=calls_until_steady(seconds, steady_s),
        memory_bytes=max(added, 0),
        file_bytes=file_bytes,
    )


def time_calls(call: "Call", count: int, budget_s: float = math.inf) -> list[float]:
    """Seconds of each of `count` calls, one pair of clock readings around each; of less once they took `budget_s`."""
    clock, run, nanoseconds = time.perf_counter_ns, call.run, []
    end = clock() + budget_s * 1e9
    with call.context():
        for _ in repeat(None, count):
            start = clock()
            run()
            stop = clock()
            nanoseconds.append(stop - start)
            if stop > end and len(nanoseconds) >= FEWEST_CALLS:
                break
    return [value * 1e-9 for value in nanoseconds]


def calls_until_steady(seconds: list[float], steady_s: float) -> int | None:
    """How many calls come before the first window of five whose median is within 10 % of `steady_s`."""
    for start in range(len(seconds) - STEADY_WINDOW + 1):
        if median(seconds[start : start + STEADY_WINDOW]) <= steady_s * (1 + STEADY_MARGIN):
            return start
    return None


def resident_bytes() -> int:
    """Resident memory of this process; 0 where the system does not tell."""
    status = Path("/proc/self/statm")
    if not status.exists():
        return 0
    return int(status.read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
