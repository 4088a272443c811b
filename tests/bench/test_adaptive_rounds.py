"""Without --rounds, a process times rounds until the ratio of every row is narrow or its time is up."""

import time

import pytest

import bench.worker.measurement
from bench.analysis.parts import RowProcess
from bench.analysis.rows import compare_results
from bench.plan.variants import FLOOR, NULL, REFERENCE, cpu_variants
from bench.report.findings import certainty, rounds_run
from bench.worker.measurement import measure
from tests.bench_measured import made, measured, settings_of


@pytest.fixture
def stops(monkeypatch, threads):
    """What each call of `until_narrow` gets; the rule then stops after the numbers of rounds given."""
    seen, numbers = [], iter((11, 17, 23, 29))

    def until_narrow(reference, judged, *, target, time_s):
        seen.append({"reference": reference, "judged": sorted(judged), "target": target, "time_s": time_s})
        most = next(numbers)
        return lambda done, _nanoseconds: done >= most

    monkeypatch.setattr(bench.worker.measurement, "until_narrow", until_narrow)
    return seen


def test_each_batch_size_has_the_rounds_that_it_needs(job, stops):
    rows = [row for row in cpu_variants() if row.name in (REFERENCE, "onnxruntime-run", FLOOR)]
    own, done = job(rows, rounds=None, batches=(7,), threads=(1, 2), target=0.03, time_s=8.0), []
    result = measure(own, progress=done.append)
    assert {key: {len(row.blocks.block_s) for row in rows.values()} for key, rows in result.rows.items()} == {
        (1, 7): {11},
        (2, 7): {17},
    }
    assert done == list(range(1, 11 + 17 + 1))
    assert [stop["judged"] for stop in stops] == [sorted([NULL, "onnxruntime-run"])] * 2  # an empty call has no ratio
    assert {(stop["reference"], stop["target"]) for stop in stops} == {(REFERENCE, 0.03)}
    one, two = compare_results(own, [result], [])
    assert [len(row.processes[0].block_ns) for row in one.rows + two.rows] == [11] * 4 + [17] * 4


def test_time_that_one_batch_size_leaves_is_for_the_next(job, stops):
    measure(job(rounds=None, threads=(1, 2), time_s=100.0))
    first, second = (stop["time_s"] for stop in stops)
    assert 40 < first <= 50
    assert first < second < 100


def test_loading_the_rows_and_calls_for_the_tails_take_no_time_from_the_rounds(job, stops, monkeypatch):
    real, late = time.monotonic, [0.0]

    def held_up(function):
        def call(*words, **more):
            late[0] += 60.0
            return function(*words, **more)

        return call

    monkeypatch.setattr(time, "monotonic", lambda: real() + late[0])
    for name in ("_build_all", "_tail"):
        monkeypatch.setattr(bench.worker.measurement, name, held_up(getattr(bench.worker.measurement, name)))
    measure(job(rounds=None, threads=(1, 2), time_s=100.0))
    first, second = (stop["time_s"] for stop in stops)
    assert first == 50
    assert 90 < second < 100


def test_without_time_each_has_the_fewest_rounds_for_an_interval(job, threads):
    result = measure(job(rounds=None, threads=(1, 2), time_s=0.0))
    assert {len(rows[REFERENCE].blocks.block_s) for rows in result.rows.values()} == {6}


def test_a_number_of_rounds_is_exact(job, stops):
    result = measure(job(rounds=12, time_s=0.0))
    assert (len(result.rows[1, 7][REFERENCE].blocks.block_s), stops) == (12, [])


@pytest.mark.parametrize(
    ("asked", "counts", "expected"), [(None, (99, 338), "99 to 338"), (None, (99, 99), "99"), (12, (99, 338), "12")]
)
def test_the_report_says_how_many_rounds_there_were(asked, counts, expected):
    processes = tuple(RowProcess(ratio=None, calls_per_block=9, block_ns=(100_000,) * count) for count in counts)
    report = made(measured(REFERENCE, processes=processes), settings=settings_of(rounds=asked))
    assert rounds_run(report) == expected
    assert f"the median of {expected} paired rounds" in certainty(report)
