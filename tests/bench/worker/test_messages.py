"""What goes into a process and what comes back reach each other through files as they were, to the nanosecond."""

import json
import subprocess
import sys
from dataclasses import fields, replace
from pathlib import Path

import numpy as np
import pytest

from bench.plan.subject import Subject
from bench.plan.variants import FLOOR, NULL, Device, Kind, Variant, cpu_variants, cuda_variants
from bench.worker.lifecycle import Lifecycle
from bench.worker.messages import (
    Job,
    Measured,
    ProcessResult,
    job_from_json,
    job_to_json,
    nanoseconds,
    result_from_json,
    result_to_json,
)
from bench.worker.rounds import Blocks
from export.runners.base import CallMode
from linreg.json_files import read_json, write_json

# ---- a job -----------------------------------------------------------------------------------------------------------

REFERENCE = Variant(name="eager", kind=Kind.EAGER, mode=CallMode.NO_GRAD_PER_CALL)


def made(**changes) -> Job:
    values = {
        "variants": (
            REFERENCE,
            replace(REFERENCE, name=NULL),
            Variant(name="体 [/]\n", kind=Kind.FACTORY, file="a b/nets.py:make", subject="other"),
            Variant(name=FLOOR, kind=Kind.FLOOR),
        ),
        "subjects": {
            "model": Subject(path="artifacts/my model"),
            "other": Subject(path="", module="nets.py:make_net", inputs=("x=float32[batch,16]", "y=int64[batch]")),
        },
        "folder": Path("work") / "a folder ü",
        "device": Device.CUDA,
        "batches": (1, 64, 4096),
        "threads": (1, 2),
        "rounds": 100,
        "seed": 2**40 + 7,
        "fresh": "eager",
        "single_calls": 700,
        "target": 0.02,
        "time_s": 1.5,
        **changes,
    }
    return Job(**values)


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"device": Device.CPU, "threads": (1,), "fresh": "", "single_calls": 0, "rounds": None},
        {"variants": tuple(cpu_variants(compiled=True))},
        {"variants": tuple(cuda_variants(compiled=True))},
        {"variants": (replace(REFERENCE, skipped="torch sees no CUDA device"),) * 2, "subjects": {"model": Subject()}},
    ],
    ids=["full", "small", "cpu", "cuda", "skipped"],
)
def test_a_job_goes_through_a_file_unchanged(tmp_path, changes):
    job = made(**changes)
    write_json(tmp_path / "job.json", job_to_json(job))
    assert job_from_json(read_json(tmp_path / "job.json")) == job


def test_what_comes_back_has_types_and_not_words(tmp_path):
    job = job_from_json(json.loads(json.dumps(job_to_json(made()))))
    assert isinstance(job.folder, Path)
    assert isinstance(job.batches, tuple)
    assert isinstance(job.subjects["other"].inputs, tuple)
    for value, kind in ((job.device, Device), (job.variants[0].kind, Kind), (job.variants[0].mode, CallMode)):
        assert type(value) is kind


def test_a_job_knows_its_rows():
    job = made()
    assert job.reference is job.variants[0]
    assert job.null is job.variants[1]
    assert [job.variant(variant.name) for variant in job.variants] == [*job.variants]
    with pytest.raises(StopIteration):
        job.variant("nobody")


@pytest.mark.parametrize(("key", "value"), [("device", "tpu"), ("surprise", 1)])
def test_a_job_of_another_version_is_none(key, value):
    with pytest.raises((ValueError, TypeError)):
        job_from_json({**job_to_json(made()), key: value})


def test_a_job_says_all_it_needs():
    """The defaults of what may be left out are those of a job on the CPU that loads nothing first."""
    job = Job(variants=(), subjects={}, folder=Path("x"), batches=(1,), rounds=10, seed=0)
    assert (job.device, job.threads, job.fresh, job.single_calls) == (Device.CPU, (1,), "", 0)


def test_a_process_reads_its_job_before_any_library_is_loaded():
    """What importing a library costs is timed in the process: numpy, which every library imports, is a part of it."""
    code = "import sys, bench.worker.process; print({'numpy', 'torch', 'onnxruntime'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "set()\n"


# ---- a result --------------------------------------------------------------------------------------------------------

CLOCKED_NS = [200_001, 212_345, 7, 0, 1, 4_999_999_999, 2**45 + 1, 123_456_789_012_345]
"""What a clock gives; a day is 2^46.3 nanoseconds."""

LIFECYCLE = Lifecycle(
    name="pt2",
    import_s=1.2345678901234567,
    load_s=0.1,
    calls_s=(0.3, 0.02, 1e-9),
    steady_s=7.1e-06,
    calls_until_steady=None,
    memory_bytes=2**33,
    file_bytes=0,
    threads=2,
)


def seconds(values) -> np.ndarray:
    return np.array(values, dtype=np.float64) * 1e-9


def blocks(block_ns, host_ns=None, calls: int = 37) -> Blocks:
    return Blocks(calls=calls, block_s=seconds(block_ns), host_s=seconds(block_ns if host_ns is None else host_ns))


GOOD = Measured(
    worst_error=0.1 + 0.2,
    bytes_equal=True,
    blocks=blocks(CLOCKED_NS),
    single_s=tuple(float(value) for value in seconds([5_001, 4_999, 70_000])),
)
WRONG = Measured(problem="pt2: output (0, 0) is nan, expected 1 within 0.1\n体", worst_error=np.inf)
ON_DEVICE = Measured(
    worst_error=1.0, blocks=blocks([100_032, 99_968], [150_001, 149_999], calls=1), launch_bound=True, bytes_equal=False
)
EMPTY = Measured()


def result(**changes) -> ProcessResult:
    values = {
        "rows": {
            (1, 1): {"eager": GOOD, "null": GOOD, "wrong": WRONG, "floor": EMPTY},
            (1, 4096): {"eager": replace(GOOD, single_s=()), "graph": ON_DEVICE},
            (2, 1): {"": replace(GOOD, blocks=blocks([]))},
        },
        "lifecycle": LIFECYCLE,
        "preempted": 3405,
        "torch_threads": {1: 1, 2: 2},
        **changes,
    }
    return ProcessResult(**values)


def through_a_file(folder, value: ProcessResult) -> ProcessResult:
    write_json(folder / "result.json", result_to_json(value))
    return result_from_json(read_json(folder / "result.json"))


def same(one: Measured, other: Measured) -> None:
    """Every field is equal, arrays to the bit."""
    for field in fields(Measured):
        here, there = getattr(one, field.name), getattr(other, field.name)
        assert type(here) is type(there), field.name
        if isinstance(here, Blocks):
            assert here.calls == there.calls
            for array, back in ((here.block_s, there.block_s), (here.host_s, there.host_s)):
                assert array.dtype == back.dtype == np.float64
                np.testing.assert_array_equal(array, back)
        else:
            assert here == there, field.name


@pytest.mark.parametrize(
    "changes", [{}, {"lifecycle": None}, {"rows": {}}, {"torch_threads": {}}], ids=["full", "stale", "none", "threads"]
)
def test_a_result_goes_through_a_file_unchanged(tmp_path, changes):
    before = result(**changes)
    after = through_a_file(tmp_path, before)
    assert (after.lifecycle, after.preempted, after.torch_threads) == (
        before.lifecycle,
        before.preempted,
        before.torch_threads,
    )
    assert [*after.rows] == [*before.rows]  # their order too
    for place, rows in before.rows.items():
        assert [*after.rows[place]] == [*rows]
        for name, measured in rows.items():
            same(after.rows[place][name], measured)


def test_the_host_keeps_a_clock_of_its_own(tmp_path):
    back = through_a_file(tmp_path, result()).rows[1, 4096]["graph"].blocks
    assert nanoseconds(back.block_s) == [100_032, 99_968]
    assert nanoseconds(back.host_s) == [150_001, 149_999]


def test_a_wrong_row_has_an_infinite_error_and_no_blocks(tmp_path):
    back = through_a_file(tmp_path, result()).rows[1, 1]["wrong"]
    assert back.problem == WRONG.problem
    assert back.worst_error == np.inf
    assert back.blocks is None


def test_it_is_json_of_whole_nanoseconds():
    value = result_to_json(result())
    text = json.dumps(value, allow_nan=False)  # the infinite error of a wrong row is none of it
    assert json.loads(text) == {**value, "lifecycle": {**value["lifecycle"], "calls_s": [0.3, 0.02, 1e-9]}}
    eager = next(row for row in value["rows"] if row["name"] == "eager")
    assert eager["block_ns"] == CLOCKED_NS
    assert all(type(entry) is int for entry in eager["block_ns"])
    assert (eager["threads"], eager["batch"]) == (1, 1)
    wrong = next(row for row in value["rows"] if row["name"] == "wrong")
    assert "block_ns" not in wrong


def test_a_lifecycle_is_the_same_type_again(tmp_path):
    back = through_a_file(tmp_path, result()).lifecycle
    assert back == LIFECYCLE
    assert isinstance(back.calls_s, tuple)


def test_nanoseconds_of_any_clock_are_exact():
    generator = np.random.default_rng(1)
    clocked = generator.integers(0, 2**50, 10_000)
    assert nanoseconds(clocked.astype(float) * 1e-9) == clocked.tolist()


@pytest.mark.parametrize("missing", ["rows", "lifecycle", "preempted", "torch_threads"])
def test_a_result_that_lacks_something_is_no_result(missing):
    value = result_to_json(result())
    del value[missing]
    with pytest.raises(KeyError, match=missing):
        result_from_json(value)
