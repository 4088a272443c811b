"""The lifecycle of a variant: calls until steady, on a clock that only calls move, and in a process of its own."""

import json
import subprocess
import sys
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from bench.plan.variants import Kind, Variant
from bench.worker import lifecycle
from bench.worker.lifecycle import (
    Imported,
    Lifecycle,
    calls_until_steady,
    measure_lifecycle,
    time_calls,
)
from export.runners.base import Call, Runner

# ---- until steady ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [
        ([1.0] * 20, 0),
        ([9.0] * 2 + [1.0] * 20, 0),  # two of five do not move a median
        ([9.0] * 3 + [1.0] * 20, 1),
        ([9.0] * 10 + [1.0] * 20, 8),
        ([1.0, 9.0, 9.0, 9.0, *[1.0] * 20], 2),
        ([1.1] * 5, 0),
        ([1.1001] * 50, None),
        ([1.2] * 7 + [1.1] * 5, 5),
        ([0.5] * 5, 0),  # faster than it will be is fast enough
        ([9.0] * 298 + [1.0] * 2, None),
        ([1.0] * 4, None),  # no window
        ([], None),
    ],
    ids=str,
)
def test_calls_until_steady_exactly(seconds, expected):
    assert calls_until_steady(seconds, 1.0) == expected


def test_calls_until_steady_on_random_series():
    generator = np.random.default_rng(1)
    seen = set()
    for _ in range(300):
        seconds = 1 + np.exp(-np.arange(60) / generator.uniform(1, 20)) * generator.uniform(0, 20, 60)
        steady = float(np.median(seconds[-30:]))
        windows = np.median(np.lib.stride_tricks.sliding_window_view(seconds, 5), axis=1)
        fast = np.flatnonzero(windows <= steady * 1.1)
        found = calls_until_steady(seconds.tolist(), steady)
        assert found == (int(fast[0]) if len(fast) else None)
        seen.add(found)
    assert len(seen) > 10


# ---- on a clock that only our calls move -----------------------------------------------------------------------------


class Machine:
    """A clock, a memory, and a runner whose n-th call takes `costs_ns[n]`, the last for ever."""

    def __init__(self, costs_ns) -> None:
        self.now, self.memory, self.done, self.open = 0, 1_000_000, 0, 0
        self.costs_ns = costs_ns

    def build(self) -> Runner:
        self.now += 5_000_000
        self.memory += 40_000
        return Runner(name="made", bind=self.bind, parameters=dict)

    def bind(self, inputs) -> Call:
        assert inputs == ("x",)
        self.now += 3_000_000
        return Call(run=self.run, outputs=lambda: (), context=self.context)

    def run(self) -> None:
        assert self.open == 1
        self.now += self.costs_ns[min(self.done, len(self.costs_ns) - 1)]
        self.memory += 1_000 if self.done == 0 else 0
        self.done += 1

    @contextmanager
    def context(self):
        self.open += 1
        yield
        self.open -= 1


@pytest.fixture
def measured(monkeypatch):
    """The lifecycle of a runner with such calls."""

    def measure(costs_ns, imported_bytes: int = 70_000, freed: int = 0) -> tuple[Lifecycle, Machine]:
        machine = Machine(costs_ns)
        clock = SimpleNamespace(perf_counter=lambda: machine.now * 1e-9, perf_counter_ns=lambda: machine.now)
        monkeypatch.setattr(lifecycle, "time", clock)
        readings = count()
        monkeypatch.setattr(lifecycle, "resident_bytes", lambda: machine.memory - freed * next(readings))
        found = measure_lifecycle(
            Variant(name="pt2", kind=Kind.PT2),
            Imported(seconds=1.5, memory_bytes=imported_bytes),
            machine.build,
            lambda runner: runner.bind(("x",)),
            3606,
            2,
        )
        return found, machine

    return measure


def test_every_part_of_a_lifecycle(measured):
    found, machine = measured([80_000_000, 400_000, 20_000, *[9_000] * 4, 7_000])
    assert machine.done == 300
    assert found == Lifecycle(
        name="pt2",
        import_s=1.5,
        load_s=pytest.approx(0.008),
        calls_s=pytest.approx((0.08, 0.0004, 0.00002)),
        steady_s=pytest.approx(7e-6),
        calls_until_steady=5,  # three of five: the first window whose median is 7 µs begins at the sixth call
        memory_bytes=70_000 + 40_000 + 1_000,
        file_bytes=3606,
        threads=2,
    )


@pytest.mark.parametrize(("cost_ns", "calls"), [(10_000_000, 101), (50_000_000, 21), (2_000_000_000, 10)])
def test_a_slow_variant_is_called_for_a_second_or_ten_times(measured, cost_ns, calls):
    found, machine = measured([3 * cost_ns, cost_ns])
    assert machine.done == max(calls - 2, 10)  # the first took the time of three
    assert (found.calls_s[0], found.steady_s) == pytest.approx((3e-9 * cost_ns, 1e-9 * cost_ns))
    assert found.calls_until_steady == 0  # one of five does not move a median


def test_a_call_that_never_settles(measured):
    """It falls until its end: no window of five but one of the last is near their median, and that is told as it is."""
    found, _ = measured([1_000_000 - 3_000 * place for place in range(300)])
    assert found.steady_s == pytest.approx((1_000_000 - 3_000 * 274.5) * 1e-9)
    window = next(place for place in range(296) if 1_000 - 3 * (place + 2) <= (1_000 - 3 * 274.5) * 1.1)
    assert found.calls_until_steady == window


def test_memory_that_was_given_back_is_none_added(measured):
    found, _ = measured([1_000], imported_bytes=0, freed=1_000_000)
    assert found.memory_bytes == 0


def test_each_call_is_timed_by_itself_inside_one_context(monkeypatch):
    machine = Machine([7, 11, 13])
    monkeypatch.setattr(lifecycle, "time", SimpleNamespace(perf_counter_ns=lambda: machine.now))
    entered = []

    @contextmanager
    def context():
        entered.append(machine.done)
        with machine.context():
            yield

    call = Call(run=machine.run, outputs=lambda: (), context=context)
    assert time_calls(call, 5) == pytest.approx([7e-9, 11e-9, 13e-9, 13e-9, 13e-9], rel=1e-12)
    assert entered == [0]


# ---- in a process of its own -----------------------------------------------------------------------------------------


PROBE = """
import json, sys
from bench.worker.lifecycle import import_library
from bench.plan.variants import Kind, Variant
before = sorted({"torch", "onnxruntime", "numpy", "onnx"} & set(sys.modules))
imported = import_library(Variant(name="x", kind=Kind(sys.argv[1])))
loaded = {name: name in sys.modules for name in ("torch", "onnxruntime")}
print(json.dumps({"before": before, "seconds": imported.seconds, "memory": imported.memory_bytes, **loaded}))
"""


@pytest.mark.parametrize(
    ("kind", "torch_loaded"),
    [(Kind.EAGER, True), (Kind.ONNXRUNTIME_RUN, False), (Kind.ONNXRUNTIME_IO_BINDING, False)],
    ids=str,
)
def test_only_the_library_that_runs_a_variant_is_imported(kind, torch_loaded):
    root = str(Path(lifecycle.__file__).parents[1])
    done = subprocess.run(
        [sys.executable, "-c", PROBE, kind.value], capture_output=True, text=True, cwd=root, check=True
    )
    found = json.loads(done.stdout)
    assert found["before"] == []  # or importing it would have cost nothing
    assert (found["torch"], found["onnxruntime"]) == (torch_loaded, not torch_loaded)
    assert found["seconds"] > 0
    assert found["memory"] > 2**20


def test_resident_memory_grows_by_what_is_touched():
    """In a small process of its own: the kernel may take back pages of a large one at any moment."""
    code = (
        "import numpy as np\nfrom bench.worker.lifecycle import resident_bytes\nbefore = resident_bytes()\n"
        "held = np.ones(8 * 2**20)\nprint(resident_bytes() - before)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert 60 * 2**20 < int(done.stdout) < 70 * 2**20
