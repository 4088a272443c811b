"""What a process measured comes back through a file as it was, to the nanosecond."""

import json
from dataclasses import fields, replace

import numpy as np
import pytest

from bench.worker.lifecycle import Lifecycle
from bench.worker.results import Measured, ProcessResult, nanoseconds, result_from_json, result_to_json
from bench.worker.rounds import Blocks
from linreg.files import read_json, write_json

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
