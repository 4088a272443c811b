"""The calls timed before a benchmark, on a machine that holds up most of them."""

from contextlib import nullcontext
from itertools import chain, repeat

import numpy as np
import pytest

import bench.worker.pilot
from bench.plan.variants import eager_variants
from bench.worker.messages import Job
from export.runners.base import Call, Runner


@pytest.fixture
def pilot(monkeypatch, tmp_path):
    """Return what the pilot says of calls that take these seconds, the first one untimed, and how many it makes."""

    def run(*seconds: float) -> tuple[float, int]:
        clock, durations, made = [0.0], chain(seconds, repeat(seconds[-1])), []

        def outputs():
            made.append(1)
            clock[0] += next(durations)
            return ()

        call = Call(run=outputs, outputs=outputs, context=nullcontext)
        runner = Runner(name="net", bind=lambda _inputs: call, parameters=dict)
        expected = {7: type("Expected", (), {"inputs": (np.zeros(1),)})}
        monkeypatch.setattr(bench.worker.pilot, "read_expected", lambda _path: expected)
        monkeypatch.setattr(bench.worker.pilot, "build", lambda *_words, **_more: runner)
        monkeypatch.setattr(bench.worker.pilot.time, "perf_counter", lambda: clock[0])
        job = Job(
            variants=tuple(eager_variants()), subjects={"model": None}, folder=tmp_path, batches=(7,), rounds=10, seed=1
        )
        return bench.worker.pilot.reference_call_s(job)[7], len(made)

    return run


@pytest.mark.parametrize(
    ("seconds", "found", "made"),
    [
        ((0.5, 0.4, 0.3, 1e-5), 1e-5, 4),  # two calls were held up, and the time is up after them
        ((1e-5, 0.15, 0.15, 1e-5), 1e-5, 4),
        ((1e-5, 1e-5), 1e-5, 6),
        ((2.0, 2.0), 2.0, 4),
    ],
    ids=str,
)
def test_the_fastest_of_a_few_calls_counts(pilot, seconds, found, made):
    assert pilot(*seconds) == (pytest.approx(found), made)
