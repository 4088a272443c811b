"""A benchmark with the default number of processes ends in time, however slow its rows turn out to be."""

import itertools
from math import inf

import pytest

import bench.processes
import bench.worker.measurement
from bench.plan.variants import eager_variants
from bench.processes import run_job
from bench.worker.messages import Job, ProcessResult
from linreg.config import BenchSettings


@pytest.fixture
def counted(monkeypatch):
    """Processes that each take ten seconds and measure nothing, in a job that is never narrow enough."""
    seconds = itertools.count(step=10)
    monkeypatch.setattr(bench.processes.time, "monotonic", lambda: next(seconds))
    monkeypatch.setattr(
        bench.processes,
        "run_in_process",
        lambda _job: ProcessResult(rows={}, lifecycle=None, preempted=0, torch_threads={}),
    )
    monkeypatch.setattr(bench.processes, "narrow_enough", lambda *_words: False)

    def count(most_s: float, **settings) -> int:
        job = Job(variants=tuple(eager_variants()), subjects={}, folder=None, batches=(1,), rounds=10, seed=1)
        return len(list(run_job(job, BenchSettings(**settings), None, most_s=most_s)))

    return count


@pytest.mark.parametrize(("most_s", "count"), [(inf, 15), (1000, 15), (100, 10), (95, 9), (55, 5), (30, 3), (1, 3)])
def test_no_process_starts_that_would_end_too_late_but_three_do(counted, most_s, count):
    assert counted(most_s, more_processes=5) == count
