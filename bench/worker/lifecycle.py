"""Measure the start-up cost of a variant: import, load, first calls and memory.

Each process loads one variant before any other, so it gives one sample of a cold start.
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
"""Calls stop after this many seconds, but not before ten calls."""

STEADY_WINDOW = 5
STEADY_MARGIN = 0.1


@dataclass(frozen=True, kw_only=True)
class Lifecycle:
    """One cold start of one variant, in a process that loaded it before any other.

    Attributes:
        name: name of the variant.
        import_s: seconds to import the library that runs it.
        load_s: seconds to turn the file, or the user's code, into something that can be called.
        calls_s: seconds of the first, second and third call.
        steady_s: median seconds of the last fifty of `CALLS` calls, timed one by one; for a slow variant, which makes
            fewer calls, of the last half.
        calls_until_steady: calls before the first five in a row whose median is at most 10 % above `steady_s`; None if
            there are none.
        memory_bytes: resident memory added by importing, loading and calling.
        file_bytes: size of the artifact; 0 without one.
        threads: intra-op threads of its library, as read back.
    """

    name: str
    import_s: float
    load_s: float
    calls_s: tuple[float, float, float]
    steady_s: float
    calls_until_steady: int | None
    memory_bytes: int
    file_bytes: int
    threads: int


@dataclass(frozen=True, kw_only=True)
class Imported:
    """How long the import of a library took in this process, and how much resident memory it added."""

    seconds: float
    memory_bytes: int


def import_library(variant: Variant) -> Imported:
    """Import the library that runs a variant, and return the cost; call this before it is imported by anything else."""
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
    threads: int,
) -> Lifecycle:
    """Build and call a variant, the first in this process, and return what its start-up cost.

    Args:
        variant: the first variant that this process loads.
        imported: cost of importing its library.
        build: makes its runner.
        bind: binds the runner to inputs.
        file_bytes: size of its artifact.
        threads: intra-op threads that its library was found to use.
    """
    # Our own modules are imported first: their cost is not the runtime's.
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
        threads=threads,
    )


def time_calls(call: "Call", count: int, budget_s: float = math.inf) -> list[float]:
    """Time `count` calls one by one, and return the seconds of each; after `budget_s` and ten calls, stop early."""
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
    """Return the number of calls before the first five in a row with a median at most 10 % above `steady_s`, if any."""
    for start in range(len(seconds) - STEADY_WINDOW + 1):
        if median(seconds[start : start + STEADY_WINDOW]) <= steady_s * (1 + STEADY_MARGIN):
            return start
    return None


def resident_bytes() -> int:
    """Return the resident memory of this process in bytes; 0 if unknown."""
    status = Path("/proc/self/statm")
    if not status.exists():
        return 0
    return int(status.read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
