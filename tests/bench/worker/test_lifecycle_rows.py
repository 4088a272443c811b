"""Samples of a lifecycle become rows: medians, pooled imports, and break-even points."""

import math
from dataclasses import replace

import numpy as np
import pytest

from bench.analysis.lifecycle import break_even, lifecycle_rows
from bench.analysis.parts import Comparison, LifecycleRow, Row, Status
from bench.analysis.rows import untimed
from bench.plan.variants import REFERENCE, Device, Kind, Variant
from bench.worker.lifecycle import (
    Lifecycle,
)


def sample(name: str, *, import_s: float = 1.0, load_s: float = 0.1, **changes) -> Lifecycle:
    values = {
        "calls_s": (0.5, 0.25, 0.125),
        "steady_s": 1e-5,
        "calls_until_steady": 3,
        "memory_bytes": 1000,
        "file_bytes": 10,
        "threads": 2,
        **changes,
    }
    return Lifecycle(name=name, import_s=import_s, load_s=load_s, **values)


def row(name: str, kind: Kind, median_s: float | None) -> Row:
    status, reason = (Status.WRONG, f"{name}: wrong") if median_s is None else (Status.TIMED, "")
    return replace(untimed(Variant(name=name, kind=kind), status, reason), median_s=median_s)


def made(samples: list[Lifecycle], rows: list[Row], *more: Row) -> tuple[list[Comparison], list[Lifecycle]]:
    comparisons = [
        Comparison(device=Device.CPU, threads=1, onnxruntime_threads=1, batch=batch, rows=tuple(own))
        for batch, own in ((1, rows), (4096, more))
        if own
    ]
    return comparisons, samples


EAGER, ONNX = row(REFERENCE, Kind.EAGER, 8e-6), row("onnxruntime-run", Kind.ONNXRUNTIME_RUN, 4e-6)


def test_a_row_holds_the_medians_of_its_samples():
    samples = [
        sample("pt2", load_s=load_s, calls_s=calls_s, steady_s=steady_s, calls_until_steady=steady, memory_bytes=memory)
        for load_s, calls_s, steady_s, steady, memory in (
            (0.3, (9.0, 0.2, 0.5), 3e-6, 7, 100),
            (0.1, (1.0, 0.9, 0.1), 1e-6, 40, 300),
            (0.2, (2.0, 0.1, 0.3), 9e-6, 1, 200),
        )
    ]
    (found,) = lifecycle_rows(*made(samples, [row("pt2", Kind.PT2, 1e-6)]))
    assert found == LifecycleRow(
        name="pt2",
        library="torch",
        samples=3,
        import_s=1.0,
        load_s=0.2,
        calls_s=(2.0, 0.2, 0.3),
        steady_s=3e-6,
        calls_until_steady=7,
        memory_bytes=200,
        file_bytes=10,
        break_even_calls=None,  # of what? no eager was measured
        threads=2,
    )


def test_one_sample_that_was_never_steady_leaves_no_count():
    samples = [sample("pt2", calls_until_steady=steady) for steady in (1, None, 3)]
    (found,) = lifecycle_rows(*made(samples, [row("pt2", Kind.PT2, 1e-6)]))
    assert found.calls_until_steady is None


def test_imports_are_pooled_by_library():
    """What a variant is does not matter to importing: all samples of a library speak for each of its rows."""
    samples = [
        sample(REFERENCE, import_s=1.0),
        sample(REFERENCE, import_s=2.0),
        sample("pt2", import_s=9.0),
        sample("onnxruntime-run", import_s=0.25),
        sample("onnxruntime-run", import_s=0.75),
    ]
    found = lifecycle_rows(*made(samples, [EAGER, row("pt2", Kind.PT2, 1e-6), ONNX]))
    assert {entry.name: (entry.library, entry.import_s) for entry in found} == {
        REFERENCE: ("torch", 2.0),
        "pt2": ("torch", 2.0),
        "onnxruntime-run": ("onnxruntime", 0.5),
    }


def test_the_library_is_that_of_the_kind_whatever_the_name():
    """Two artifacts against each other are called `against` and `this`."""
    samples = [sample("against", import_s=0.25), sample("this", import_s=0.75), sample("onnxruntime-like")]
    rows = [
        row("against", Kind.ONNXRUNTIME_RUN, 4e-6),
        row("this", Kind.ONNXRUNTIME_RUN, 4e-6),
        row("onnxruntime-like", Kind.PT2, 4e-6),
    ]
    found = lifecycle_rows(*made(samples, rows))
    assert [(entry.library, entry.import_s) for entry in found] == [
        ("onnxruntime", 0.5),
        ("onnxruntime", 0.5),
        ("torch", 1.0),
    ]


def test_break_even_is_that_of_the_first_comparison():
    samples = [sample(REFERENCE), sample("pt2", load_s=0.1 + 4e-6 * 1000), sample("wrong")]
    slow = row("pt2", Kind.PT2, 99.0)
    found = lifecycle_rows(
        *made(samples, [EAGER, row("pt2", Kind.PT2, 4e-6), row("wrong", Kind.PT2, None)], EAGER, slow)
    )
    ahead = {entry.name: entry.break_even_calls for entry in found}
    assert ahead.pop("pt2") in (1000, 1001)  # exactly 1000, but for rounding
    assert ahead == {REFERENCE: None}


def started(import_s: float, load_s: float = 0.0, calls_s: tuple[float, ...] = (0.0, 0.0, 0.0)) -> LifecycleRow:
    return LifecycleRow(
        name="started",
        library="torch",
        samples=1,
        import_s=import_s,
        load_s=load_s,
        calls_s=calls_s,
        steady_s=1e-6,
        calls_until_steady=0,
        memory_bytes=0,
        file_bytes=0,
    )


@pytest.mark.parametrize(
    ("start", "call_s", "eager_call_s", "expected"),
    [
        (started(0.5), 1.0, 2.0, 0),
        (started(1.0), 1.0, 1.0, 0),
        (started(0.5), 2.0, 1.0, "never"),  # ahead at first, and not for long
        (started(2.0), 1.0, 1.0, "never"),
        (started(2.0), 2.0, 1.0, "never"),
        (started(3.0), 1.0, 2.0, 2),
        (started(3.5), 1.0, 2.0, 3),
        (started(1.0, 2.0), 1.0, 2.0, 2),
        (started(1.0, 0.0, (1.0, 0.5, 0.5)), 1.0, 2.0, 2),
        (started(0.5), None, 1.0, None),
        (started(0.5), 1.0, None, None),
    ],
    ids=str,
)
def test_break_even(start, call_s, eager_call_s, expected):
    assert break_even(start, started(1.0), call_s, eager_call_s) == expected


def test_break_even_against_adding_up_call_by_call():
    generator = np.random.default_rng(2)
    for _ in range(200):
        one, other = (started(*generator.uniform(0, 3, 2), generator.uniform(0, 1, 3)) for _ in range(2))
        call_s, eager_call_s = generator.uniform(0.01, 0.1, 2)
        found = break_even(one, other, call_s, eager_call_s)
        total, eager_total = (entry.import_s + entry.load_s + sum(entry.calls_s) for entry in (one, other))
        after = next((n for n in range(20_000) if total + n * call_s <= eager_total + n * eager_call_s), math.inf)
        if found == "never":
            assert call_s > eager_call_s
        else:
            assert found == after
