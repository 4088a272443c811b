"""A whole benchmark in two processes and in this one."""

import numpy as np
import pytest
import torch

import bench.processes
from bench.plan.expected import SEED
from bench.plan.subject import Subject
from bench.plan.variants import (
    REFERENCE,
    Device,
    eager_variants,
)
from bench.run import run_benchmark
from bench.worker.messages import Job, Measured, ProcessResult
from bench.worker.rounds import Blocks
from linreg.config import BenchSettings
from tests.bench.conftest import ROUNDS


def test_a_whole_benchmark_in_two_processes(penguins):
    done = []
    report = run_benchmark(
        {"model": Subject(path=str(penguins))},
        {Device.CPU: eager_variants()[:2]},
        BenchSettings(batches=(7,), rounds=ROUNDS, processes=2, single_calls=0),
        bundle=penguins,
        provided={},
        progress=done.append,
    )
    assert done == [1, 2]
    assert report.settings.processes_run == 2
    assert [(row.name, row.samples) for row in report.lifecycle] == [(REFERENCE, 2)]
    (comparison,) = report.comparisons
    assert [len(row.processes) for row in comparison.rows] == [2, 2, 2]


@pytest.mark.parametrize(
    ("spread", "settings", "expected"),
    [
        (0.001, {}, 8),  # narrow, twice in a row: as soon as that is believed
        (0.018, {}, 10),  # wider than 1 %, and not than 2 %
        (0.018, {"more_processes": 5}, 11),
        (0.06, {}, 10),
        (0.06, {"more_processes": 5}, 15),
        (0.03, {"more_processes": 5}, 14),
        (0.06, {"processes": 3}, 3),
        (0.001, {"processes": 3}, 3),
    ],
)
def test_how_many_processes_it_takes(penguins, monkeypatch, spread, settings, expected):
    """Ten, fewer where all intervals are within 1 % to either side, and more while one is not within 2 %."""
    signs = [1, -1, 0.5, -0.5, 0.8, -0.8, 0.3, -0.3, 1, -1, 1, -1, 0.5, -0.5, 0.8]

    def made(own: Job) -> ProcessResult:
        place = (own.seed - SEED) // 1000
        factors = {row.name: 1 + spread * signs[place] * (row.name == "eager-no_grad") for row in own.variants}
        blocks = {
            name: Blocks(calls=1, block_s=np.full(10, factor), host_s=np.full(10, factor))
            for name, factor in factors.items()
        }
        rows = {name: Measured(blocks=series) for name, series in blocks.items()}
        return ProcessResult(rows={(1, 7): rows}, lifecycle=None, preempted=0, torch_threads={1: 1})

    monkeypatch.setattr(bench.processes, "run_in_process", made)
    report = run_benchmark(
        {"model": Subject(path=str(penguins))},
        {Device.CPU: eager_variants()[:2]},
        BenchSettings(batches=(7,), rounds=ROUNDS, **settings),
        bundle=penguins,
        provided={},
    )
    assert report.settings.processes_run == expected


def test_a_benchmark_in_this_process_has_no_lifecycle(penguins):
    before, done = torch.get_num_threads(), []
    try:
        report = run_benchmark(
            {"model": Subject(path=str(penguins))},
            {Device.CPU: eager_variants()[:2]},
            BenchSettings(batches=(1, 7), rounds=ROUNDS, processes=1, single_calls=0),
            bundle=penguins,
            provided={},
            progress=done.append,
        )
    finally:
        torch.set_num_threads(before)
    assert (report.settings.processes_run, report.lifecycle) == (1, ())
    assert done == [1]
