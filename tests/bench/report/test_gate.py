"""The rule of the gate, and which rows it judges."""

import json
from copy import deepcopy

import numpy as np
import pytest
from scipy.stats import ttest_ind

from tests.bench_reports import comparison, floor, report, skipped, struck_out
from tests.gate_reports import LIMIT, compare_reports, judge, made, reference, refused, spread, timed

# ---- the rule --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("before", "after", "width", "slower"),
    [
        (1.0, 1.05, 0.001, True),
        (0.4, 0.42, 0.001, True),  # ratios of ratios: a fast row may become slower too
        (1.0, 1.031, 0.001, True),
        (1.0, 1.029, 0.001, False),  # shown beyond doubt, and allowed
        (1.0, 1.0, 0.001, False),
        (1.0, 0.5, 0.001, False),
        (1.0, 1.05, 0.04, True),  # the interval reaches below the limit, and excludes 1
        (1.0, 1.05, 0.2, False),  # it may be chance
        (2.0, 2.2, 0.3, False),
    ],
)
def test_slower_is_an_estimate_beyond_the_limit_and_an_interval_without_one(before, after, width, slower):
    found = judge(before, after, width=width)
    assert found.ratio.estimate == pytest.approx(after / before, rel=1e-9)
    assert found.slower is slower


def test_the_interval_need_not_pass_the_limit_itself():
    found = judge(1.0, 1.05, width=0.04)
    assert 1 < found.ratio.low < 1 + LIMIT < found.ratio.estimate
    assert found.slower


@pytest.mark.parametrize(("limit", "slower"), [(None, False), (0.0, True), (0.04, True), (0.06, False)])
def test_the_limit_is_the_one_asked(limit, slower):
    assert judge(1.0, 1.05, limit=limit).slower is slower


def test_a_limit_of_nothing_still_needs_an_interval_without_one():
    assert not judge(1.0, 1.002, width=0.01, limit=0.0).slower
    assert judge(1.0, 1.002, width=0.0001, limit=0.0).slower


def test_the_interval_is_that_of_welch_and_yuen():
    generator = np.random.default_rng(1)
    old, new = np.exp(generator.normal(0.0, 0.01, 10)), np.exp(generator.normal(0.1, 0.03, 6))
    (found,) = compare_reports(made(timed("a", old)), made(timed("a", new)), limit=LIMIT)
    interval = np.exp(ttest_ind(np.log(new), np.log(old), equal_var=False, trim=0.1).confidence_interval(0.95))
    assert (found.ratio.low, found.ratio.high) == pytest.approx(tuple(interval), rel=1e-12)


def test_nanoseconds_are_no_part_of_it():
    old = made(timed("a", spread(1.0), median_s=1e-6))
    new = made(timed("a", spread(1.0), median_s=5e-6))
    for entry in new["comparisons"][0]["rows"]:
        for process in entry["processes"]:
            process["block_ns"] = [1_000_000]
    (found,) = compare_reports(old, new, limit=LIMIT)
    assert (found.ratio.estimate, found.slower) == (pytest.approx(1.0), False)


def test_nothing_is_changed_and_a_file_between_makes_no_difference():
    old, new = made(timed("a", spread(1.0))), made(timed("a", spread(1.05)))
    kept = deepcopy((old, new))
    found = compare_reports(old, new, limit=LIMIT)
    assert (old, new) == kept
    assert compare_reports(*(json.loads(json.dumps(value)) for value in kept), limit=LIMIT) == found


# ---- which rows ------------------------------------------------------------------------------------------------------


def test_rows_are_matched_by_device_threads_batch_and_name():
    def several(factor):
        return report(
            *(
                comparison([reference(), timed("a", spread(base * factor)), timed("b", spread(3 * base))], *place)
                for base, place in enumerate(((1, 1, "cpu"), (1, 2, "cpu"), (64, 1, "cpu"), (1, 1, "cuda")), start=1)
            )
        )

    found = compare_reports(several(1.0), several(1.05), limit=LIMIT)
    places = [("cpu", 1, 1), ("cpu", 2, 1), ("cpu", 1, 64), ("cuda", 1, 1)]
    assert [(entry.device, entry.threads, entry.batch, entry.name) for entry in found] == [
        (*place, name) for place in places for name in "ab"
    ]
    assert [entry.slower for entry in found] == [True, False] * 4
    assert [entry.ratio.estimate for entry in found] == pytest.approx([1.05, 1.0] * 4)


@pytest.mark.parametrize(
    "other",
    [
        floor(),
        struck_out("floor"),
        skipped("floor", "no device"),
        timed("floor", spread(9.0), kind="copy-to-device", answers=False),
    ],
    ids=["floor", "struck out", "skipped", "copy"],
)
def test_rows_that_have_no_ratio_or_answer_nothing_are_no_part_of_it(other):
    slow = timed("floor", spread(1.0))
    for old, new in ((slow, other), (other, slow), (other, other)):
        found = compare_reports(
            made(timed("a", spread(1.0)), old), made(timed("a", spread(1.0)), deepcopy(new)), limit=None
        )
        assert [entry.name for entry in found] == ["a"]


def test_rows_that_only_one_report_has_are_left_out():
    old = made(timed("a", spread(1.0)), timed("gone", spread(1.0)))
    new = made(timed("new", spread(9.0)), timed("a", spread(1.0)))
    assert [entry.name for entry in compare_reports(old, new, limit=None)] == ["a"]


def test_what_is_gone_does_not_pass_a_limit():
    old = made(timed("a", spread(1.0)), timed("gone", spread(1.0)))
    new = made(timed("new", spread(9.0)), timed("a", spread(1.0)))
    assert (
        "gone at batch 1 (cpu, threads 1) was in the old report but was not timed this time; --fail-slower"
        in refused(old, new)
    )
    assert [
        entry.name
        for entry in compare_reports(
            new, made(timed("new", spread(9.0)), timed("a", spread(1.0)), timed("more", spread(1.0))), limit=LIMIT
        )
    ] == ["new", "a"]
