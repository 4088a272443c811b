"""One job in many processes: seeds, lifecycle samples, and when to stop."""

from dataclasses import replace

import numpy as np
import pytest
import torch

import bench.processes
from bench.plan.variants import (
    FLOOR,
    NULL,
    REFERENCE,
    Kind,
    Variant,
    at_levels,
    cpu_variants,
    cuda_variants,
)
from bench.processes import lifecycle_names, run_job, run_processes
from bench.worker.measurement import measure
from linreg.config import BenchSettings
from tests.conftest import TESTS

NETS = TESTS / "nets.py"


def never(_results) -> bool:
    return False


def shape(result):
    """All of a result but its figures."""
    return {
        key: {
            name: (row.problem, row.bytes_equal, row.worst_error, row.blocks.block_s.shape, len(row.single_s))
            for name, row in rows.items()
        }
        for key, rows in result.rows.items()
    }


def test_two_processes_give_what_this_one_gives_and_a_sample_of_its_start_each(job):
    own = job([row for row in cpu_variants() if row.name in (REFERENCE, "onnxruntime-run", FLOOR)])
    before = torch.get_num_threads()
    try:
        here = measure(own)
    finally:
        torch.set_num_threads(before)
    first, second = run_processes(own, 2, never)
    assert shape(first) == shape(second) == shape(here)
    assert first.torch_threads == second.torch_threads == {1: 1}
    assert (first.lifecycle.name, second.lifecycle.name) == ("onnxruntime-run", REFERENCE)
    assert (first.lifecycle.threads, second.lifecycle.threads) == (1, 1)
    for result in (first, second):
        sample = result.lifecycle
        assert min(sample.import_s, sample.load_s, *sample.calls_s, sample.steady_s) > 0
        assert sample.memory_bytes > 2**20, "a runtime was imported"
        assert result.preempted >= 0
    blocks = [result.rows[1, 7][REFERENCE].blocks.block_s for result in (first, second)]
    assert not np.array_equal(*blocks)


@pytest.fixture
def started(monkeypatch):
    """Record the jobs instead of running them."""
    jobs = []
    monkeypatch.setattr(bench.processes, "run_in_process", lambda job: jobs.append(job) or len(jobs))
    return jobs


def test_the_variants_that_are_loaded_first_rotate_and_the_orders_differ(job, started):
    own = job(cpu_variants())
    names = lifecycle_names(own)
    assert list(run_processes(own, 8, never)) == list(range(1, 9))
    assert [each.fresh for each in started] == [*names, *names][:8]
    assert len({each.seed for each in started}) == 8
    assert all(replace(each, seed=own.seed, fresh=own.fresh) == own for each in started)


def test_no_two_orders_agree_where_batches_are_of_any_size(job, started):
    # The seed of a batch is the seed of the process plus the batch.
    list(run_processes(job(), 3, never))
    assert np.diff([each.seed for each in started]).min() >= 1000


def test_a_job_without_a_variant_that_is_loaded_has_no_sample(job, started):
    floor = Variant(name=REFERENCE, kind=Kind.FLOOR)
    own = replace(job(), variants=(floor, replace(floor, name=NULL)))
    assert lifecycle_names(own) == []
    list(run_processes(own, 2, never))
    assert [each.fresh for each in started] == ["", ""]


@pytest.mark.parametrize(("after", "expected"), [(1, 1), (3, 3), (9, 5)])
def test_no_process_is_started_once_it_is_enough(job, started, after, expected):
    seen = []

    def enough(results) -> bool:
        seen.append(list(results))
        return len(results) == after

    assert list(run_processes(job(), 5, enough)) == list(range(1, expected + 1))
    assert len(started) == expected
    assert seen == [list(range(1, count + 1)) for count in range(1, expected + 1)]


def test_one_variant_for_each_way_to_load_a_model(job):
    assert lifecycle_names(job([*cpu_variants(compiled=True)])) == [
        "onnxruntime-run",
        REFERENCE,
        "torchscript",
        "torchscript-frozen",
        "torchscript-trace",
        "pt2",
        "compile",
    ]
    last = job(cpu_variants(), reference="onnxruntime-io_binding")
    assert lifecycle_names(last)[0] == "onnxruntime-io_binding"
    assert "onnxruntime-run" not in lifecycle_names(last)


def test_only_one_level_of_onnxruntime_comes_before_eager(job):
    names = lifecycle_names(job(at_levels(cpu_variants(), ["disabled", "all"])))
    assert names[:2] == ["onnxruntime-run-disabled", REFERENCE]
    assert "onnxruntime-run" in names[2:]


def test_a_benchmark_goes_on_until_every_variant_was_loaded_first(job, started, monkeypatch):
    monkeypatch.setattr(bench.processes, "narrow_enough", lambda _job, results, _target, least: len(results) >= least)
    kept = job(at_levels(cpu_variants(compiled=True), ["all", "basic", "disabled"]))
    assert len(lifecycle_names(kept)) == 9
    list(run_job(kept, BenchSettings(processes=20), None))
    assert len(started) == 9


def test_copies_to_a_device_have_no_start_of_their_own(job):
    own = replace(job(), variants=(*job().variants, *cuda_variants()[-4:]))
    assert lifecycle_names(own) == ["onnxruntime-io_binding", REFERENCE]
