"""Processes stop when every interval is narrow twice in a row."""

import pytest

import bench.processes
from bench.processes import run_job, target_after
from linreg.config import BENCH_DEFAULTS


@pytest.mark.parametrize(
    ("narrow", "expected"),
    [
        ({7, 8}, 8),
        ({7, 9, 10}, 10),  # 7 was narrow by luck
        ({7, 9, 11, 13}, 15),
        (set(), 15),
        (set(range(16)), 8),  # intervals over fewer than 7 do not count
    ],
    ids=str,
)
def test_a_benchmark_stops_at_the_second_narrow_interval_in_a_row(job, monkeypatch, narrow, expected):
    monkeypatch.setattr(bench.processes, "run_in_process", lambda _job: object())
    monkeypatch.setattr(
        bench.processes,
        "narrow_enough",
        lambda _job, results, _target, least: len(results) >= least and len(results) in narrow,
    )
    assert len(list(run_job(job(), BENCH_DEFAULTS, None))) == expected


def test_the_processes_that_are_added_need_narrow_intervals_of_2_percent_only():
    assert [target_after(count, BENCH_DEFAULTS) for count in (7, 9, 10, 15)] == [0.01, 0.01, 0.02, 0.02]
