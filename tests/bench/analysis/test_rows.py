"""The rows of a report follow from what the processes measured: here from figures made by hand, without a clock."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from bench.analysis.parts import Status
from bench.analysis.rows import compare_results, narrow_enough, percentiles
from bench.analysis.statistics import Verdict, over_processes, paired_ratio, verdict
from bench.plan.budget import TAIL_COUNTS
from bench.plan.variants import FLOOR, NULL, REFERENCE, Device, Kind, Variant
from bench.worker.messages import Job, Measured, ProcessResult, nanoseconds
from bench.worker.rounds import Blocks

ROUNDS = 20
NAMES = (REFERENCE, NULL, "slow", "fast", "same", FLOOR)
FACTORS = {REFERENCE: 1.0, NULL: 1.0, "slow": 1.5, "fast": 0.5, "same": 1.0, FLOOR: 0.01}


def variant(name: str) -> Variant:
    return Variant(name=name, kind=Kind.FLOOR if name == FLOOR else Kind.EAGER)


JOB = Job(
    variants=tuple(map(variant, NAMES)),
    subjects={},
    folder=Path(),
    batches=(1,),
    rounds=ROUNDS,
    seed=0,
)


def blocks(call_s: float, seed: int, calls: int = 4, noise: float = 0.001) -> Blocks:
    """Blocks around a latency, with a little noise and one interruption."""
    generator = np.random.default_rng(seed)
    block_s = call_s * calls * (1 + noise * generator.standard_normal(ROUNDS))
    block_s[seed % ROUNDS] *= 30
    return Blocks(calls=calls, block_s=block_s, host_s=block_s * 2)


def process(place: int, factors=FACTORS, noise=0.001, **changes) -> ProcessResult:
    """One process; `changes` replaces fields of rows by name."""
    rows = {
        name: Measured(
            worst_error=0.1 * place,
            bytes_equal=True,
            blocks=blocks(1e-5 * factor, 100 * place + number, calls=4 + number, noise=noise),
        )
        for number, (name, factor) in enumerate(factors.items())
    }
    rows |= {name: replace(rows[name], **change) for name, change in changes.items()}
    return ProcessResult(rows={(1, 1): rows}, lifecycle=None, preempted=0, torch_threads={1: 1})


def compared(results, job=JOB, skipped=()):
    (comparison,) = compare_results(job, results, skipped)
    assert (comparison.device, comparison.threads, comparison.batch) == (Device.CPU, 1, 1)
    return {row.name: row for row in comparison.rows}


def process_ratios(row):
    return tuple(process.ratio for process in row.processes)


@pytest.fixture(scope="module")
def results():
    return [process(place) for place in range(1, 4)]


@pytest.fixture(scope="module")
def rows(results):
    return compared(results)


def test_every_row_is_there_in_its_order(rows):
    assert tuple(rows) == NAMES


def test_the_latency_is_the_median_over_processes_of_their_medians(rows, results):
    for name, row in rows.items():
        own = [result.rows[1, 1][name].blocks for result in results]
        assert [process.block_ns for process in row.processes] == [tuple(nanoseconds(entry.block_s)) for entry in own]
        assert [process.calls_per_block for process in row.processes] == [entry.calls for entry in own]
        assert row.median_s == sorted(np.median(entry.block_s / entry.calls) for entry in own)[1]
        assert row.host_median_s == sorted(np.median(entry.host_s) / entry.calls for entry in own)[1]
        assert row.host_median_s == pytest.approx(2 * row.median_s)
        assert row.median_s == pytest.approx(1e-5 * FACTORS[name], rel=0.01), "one interruption does not move it"


def test_ratios_are_paired_in_each_process_and_put_together_over_them(rows, results):
    for name, row in rows.items():
        if name in (REFERENCE, FLOOR):
            continue
        expected = tuple(
            paired_ratio(result.rows[1, 1][name].blocks.call_s, result.rows[1, 1][REFERENCE].blocks.call_s)
            for result in results
        )
        assert process_ratios(row) == expected
        assert row.ratio == over_processes(expected)
        assert row.ratio.estimate == pytest.approx(FACTORS[name], rel=0.01)


def test_one_process_keeps_the_interval_of_its_rounds():
    row = compared([process(1)])["slow"]
    assert (row.ratio,) == process_ratios(row)


def test_the_reference_has_no_ratio_and_the_null_row_no_verdict(rows):
    assert (rows[REFERENCE].ratio, rows[REFERENCE].verdict) == (None, None)
    assert process_ratios(rows[REFERENCE]) == (None, None, None)
    assert rows[NULL].ratio is not None
    assert rows[NULL].verdict is None


def test_verdicts_are_those_of_ratio_and_null(rows):
    assert {name: rows[name].verdict for name in ("slow", "fast", "same")} == {
        "slow": Verdict.SLOWER,
        "fast": Verdict.FASTER,
        "same": Verdict.EQUIVALENT,
    }
    for name in ("slow", "fast", "same"):
        assert rows[name].verdict is verdict(rows[name].ratio, rows[NULL].ratio)


def test_nothing_is_claimed_that_the_null_row_shows_to_be_noise():
    """The reference against itself is 30 % off: half again as slow may be noise as well."""
    factors = {**FACTORS, NULL: 1.3}
    rows = compared([process(place, factors) for place in range(1, 4)])
    assert (rows["slow"].verdict, rows["same"].verdict) == (Verdict.INCONCLUSIVE, Verdict.INCONCLUSIVE)


def test_the_floor_answers_nothing_and_is_not_judged(rows):
    floor = rows[FLOOR]
    assert (floor.worst_error, floor.bytes_equal, floor.ratio, floor.verdict) == (None, None, None, None)
    assert floor.median_s == pytest.approx(1e-7, rel=0.01)


def test_the_worst_error_is_that_of_the_worst_process(rows):
    assert rows["slow"].worst_error == pytest.approx(0.3)
    assert rows["slow"].bytes_equal is True


@pytest.mark.parametrize("place", [0, 1, 2])
def test_other_bytes_in_one_process_are_other_bytes(place):
    changes = [{}, {}, {}]
    changes[place] = {"slow": {"bytes_equal": False}}
    rows = compared([process(number + 1, **change) for number, change in enumerate(changes)])
    assert (rows["slow"].bytes_equal, rows["fast"].bytes_equal) == (False, True)


@pytest.mark.parametrize("place", [0, 1, 2])
def test_wrong_in_one_process_is_wrong(place, rows):
    wrong = {"slow": {"problem": "slow: is wrong", "blocks": None, "worst_error": np.inf, "bytes_equal": False}}
    results = [process(number + 1, **(wrong if number == place else {})) for number in range(3)]
    found = compared(results)
    row = found.pop("slow")
    assert (row.status, row.reason) == (Status.WRONG, "slow: is wrong")
    assert (row.median_s, row.host_median_s, row.ratio, row.verdict, row.worst_error) == (None,) * 5
    assert (row.processes, row.tails_s, row.bytes_equal) == ((), {}, False)
    for name, other in found.items():
        assert (other.status, other.median_s, other.ratio, other.verdict) == (
            Status.TIMED,
            rows[name].median_s,
            rows[name].ratio,
            rows[name].verdict,
        )


def test_the_first_problem_is_told():
    results = [
        process(1),
        process(2, slow={"problem": "second", "blocks": None}),
        process(3, slow={"problem": "third", "blocks": None}),
    ]
    assert compared(results)["slow"].reason == "second"


def test_launch_bound_in_one_process_is_launch_bound():
    found = compared([process(1), process(2, slow={"launch_bound": True})])
    assert (found["slow"].launch_bound, found["fast"].launch_bound) == (True, False)


def test_skipped_variants_stand_at_the_end_with_the_reason(results):
    missing = replace(variant("pt2"), skipped="there is no pt2 here")
    found = compared(results, skipped=[missing])
    assert tuple(found) == (*NAMES, "pt2")
    assert (found["pt2"].status, found["pt2"].reason) == (Status.SKIPPED, "there is no pt2 here")
    assert (found["pt2"].median_s, found["pt2"].processes, found["pt2"].bytes_equal) == (None, (), None)
    assert (found["pt2"].kind, found["pt2"].mode) == (missing.kind, missing.mode)


def test_where_nothing_can_run_only_the_reasons_stand():
    job = replace(JOB, device=Device.CUDA, batches=(1, 64))
    missing = [replace(variant(name), skipped="no device") for name in ("eager-grad", "cuda-graph")]
    comparisons = compare_results(job, [], missing)
    assert [(entry.device, entry.batch) for entry in comparisons] == [(Device.CUDA, 1), (Device.CUDA, 64)]
    for comparison in comparisons:
        assert [(row.status, row.reason) for row in comparison.rows] == [(Status.SKIPPED, "no device")] * 2


def test_each_batch_and_count_of_threads_is_a_comparison_of_its_own():
    job = replace(JOB, threads=(1, 2), batches=(1, 64))
    keys = [(1, 1), (1, 64), (2, 1), (2, 64)]
    results = []
    for place in (1, 2):
        made = {key: process(place, {**FACTORS, "slow": 1.5 + number}).rows[1, 1] for number, key in enumerate(keys)}
        results.append(ProcessResult(rows=made, lifecycle=None, preempted=0, torch_threads={1: 1, 2: 2}))
    found = compare_results(job, results, [])
    assert [(entry.threads, entry.batch) for entry in found] == keys
    for number, comparison in enumerate(found):
        row = next(row for row in comparison.rows if row.name == "slow")
        assert row.ratio.estimate == pytest.approx(1.5 + number, rel=0.01)


def test_a_percentile_is_told_only_where_there_are_enough_calls():
    assert percentiles([]) == {}
    for name, (part, needed) in TAIL_COUNTS.items():
        seconds = list(np.random.default_rng(needed).permutation(needed) + 1.0)
        assert name not in percentiles(seconds[:-1])
        assert percentiles(seconds)[name] == pytest.approx(float(np.quantile(seconds, part)))
    assert list(percentiles([1.0] * 6636)) == list(TAIL_COUNTS)
    assert list(percentiles([1.0] * 661)) == ["p50", "p90"]


def test_the_calls_needed_are_those_of_early_stopping():
    """With one call above the percentile, as many as make 99 % sure that it is not higher: (n p + 1 - p) p^(n-1)."""
    for part, needed in TAIL_COUNTS.values():
        missed = [part**count + count * (1 - part) * part ** (count - 1) for count in (needed - 1, needed)]
        assert missed[1] <= 0.01 < missed[0], part


def test_tails_are_those_of_the_single_calls_of_all_processes():
    results = [process(place, slow={"single_s": tuple(place + np.arange(4.0))}) for place in (1, 2, 3)]
    tails = compared(results)["slow"].tails_s
    assert tails == {"p50": np.median([1, 2, 3, 4, 2, 3, 4, 5, 3, 4, 5, 6])}, "12 calls are enough for p50 alone"
    assert compared(results)["fast"].tails_s == {}


def test_enough_needs_so_many_processes_however_narrow(results):
    assert narrow_enough(JOB, results, 0.9, least=3)
    assert not narrow_enough(JOB, results, 0.9, least=4)
    assert not narrow_enough(JOB, results[:2], 0.9, least=3)
    assert not narrow_enough(JOB, [], 0.9, least=1)


def test_enough_is_when_the_widest_interval_is_within_the_target(results, rows):
    judged = [rows[name].ratio.half_width for name in (NULL, "slow", "fast", "same")]
    assert narrow_enough(JOB, results, max(judged), least=3)
    assert not narrow_enough(JOB, results, max(judged) * 0.999, least=3)
    assert max(judged) > min(judged)


def test_the_null_row_must_be_narrow_too():
    results = [process(place, {**FACTORS, NULL: 1 + 0.1 * place}) for place in range(1, 4)]
    assert not narrow_enough(JOB, results, 0.05, least=3)


def test_the_floor_need_not_be_narrow():
    results = [process(place, {**FACTORS, FLOOR: 0.01 * 2**place}) for place in range(1, 4)]
    assert narrow_enough(JOB, results, 0.01, least=3)


def test_every_comparison_must_be_narrow():
    job = replace(JOB, batches=(1, 64))
    results = []
    for place in range(1, 4):
        noisy = process(place, {**FACTORS, "slow": 1 + 0.2 * place}).rows[1, 1]
        rows = {(1, 1): process(place).rows[1, 1], (1, 64): noisy}
        results.append(ProcessResult(rows=rows, lifecycle=None, preempted=0, torch_threads={1: 1}))
    assert narrow_enough(JOB, results, 0.05, least=3)
    assert not narrow_enough(job, results, 0.05, least=3)


def test_a_struck_out_row_does_not_keep_the_others_waiting():
    results = [process(place, slow={"problem": "wrong", "blocks": None}) for place in range(1, 4)]
    assert narrow_enough(JOB, results, 0.05, least=3)


def test_a_row_knows_how_many_calls_its_tails_are_taken_from():
    results = [process(place, slow={"single_s": tuple(place + np.arange(4.0))}) for place in (1, 2, 3)]
    rows = compared(results)
    assert rows["slow"].tail_calls == 12
    assert rows["same"].tail_calls == 0
