"""The gate fails what has become slower, and nothing else; reports that say nothing about it are refused."""

import json
import math
from copy import deepcopy

import numpy as np
import pytest
from scipy.stats import ttest_1samp, ttest_ind

from bench.report import gate
from bench.report.gate import Change
from linreg.errors import LinregError
from tests.bench_reports import REFERENCE, comparison, floor, parsed, report, row, skipped, struck_out

LIMIT = 0.03
SPREAD = 0.0145
"""Standard deviation of a log-ratio between processes, as it was measured on a shared machine."""


def compare_reports(old: dict, new: dict, *, limit: float | None) -> list[Change]:
    return gate.compare_reports(parsed(old), parsed(new), limit=limit)


def slower_than_reference(value: dict, *, limit: float | None) -> list[Change]:
    return gate.slower_than_reference(parsed(value), limit=limit)


def as_values(estimate: float, low: float, high: float | None) -> dict[str, float | None]:
    return {"estimate": estimate, "low": low, "high": high}


def timed(name: str, estimates, **changes):
    """A row of so many processes, each with its ratio to the reference."""
    own = [float(estimate) for estimate in estimates]
    processes = [
        {"ratio": as_values(estimate, estimate * 0.999, estimate * 1.001), "calls_per_block": 30, "block_ns": [200_000]}
        for estimate in own
    ]
    return row(name, float(np.exp(np.log(own).mean())), **{"processes": processes, **changes})


def reference(name: str = REFERENCE, count: int = 10):
    return row(name, processes=[{"ratio": None, "calls_per_block": 30, "block_ns": [200_000]}] * count)


def made(*rows, batch: int = 1, device: str = "cpu", threads: int = 1, **changes):
    """A report of one comparison."""
    return report(comparison([reference(), *rows], batch, threads, device), **changes)


def spread(mean: float, width: float = 0.001, count: int = 10) -> np.ndarray:
    """Estimates whose logarithms have exactly this mean and about this spread."""
    return mean * np.exp(width * np.linspace(-1.5, 1.5, count))


def judge(before: float, after: float, *, width: float = 0.001, limit: float | None = LIMIT):
    (found,) = compare_reports(
        made(timed("a", spread(before, width))), made(timed("a", spread(after, width))), limit=limit
    )
    return found


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
    assert "gone at batch 1 (cpu, threads 1) is in the old report and was not timed now" in refused(old, new)
    assert [
        entry.name
        for entry in compare_reports(
            new, made(timed("new", spread(9.0)), timed("a", spread(1.0)), timed("more", spread(1.0))), limit=LIMIT
        )
    ] == ["new", "a"]


# ---- what is refused -------------------------------------------------------------------------------------------------


def refused(old, new) -> str:
    with pytest.raises(LinregError) as caught:
        compare_reports(old, new, limit=LIMIT)
    message = str(caught.value)
    assert message.startswith("--compare: ")
    assert message.isprintable()
    return message


@pytest.mark.parametrize(
    ("name", "value"), [("processor", "Cortex-A72"), ("cores", 64), ("cuda", "NVIDIA H100")], ids=str
)
def test_another_machine_is_refused(name, value):
    old, new = made(timed("a", spread(1.0))), made(timed("a", spread(1.0)))
    was = old["environment"][name]
    new["environment"][name] = value
    message = refused(old, new)
    assert f"the old report is of {name} {was!r}, this one of {value!r}" in message
    assert "one machine" in message


@pytest.mark.parametrize(
    ("name", "value"), [("load_1min", 9.0), ("versions", {"torch": "3"}), ("clock_resolution_s", 1.0)], ids=str
)
def test_what_may_differ_is_not_refused(name, value):
    """A new version of torch may be what is slower."""
    old, new = made(timed("a", spread(1.0))), made(timed("a", spread(1.0)))
    new["environment"][name] = value
    assert len(compare_reports(old, new, limit=LIMIT)) == 1


@pytest.mark.parametrize(
    ("before", "after", "same"), [(None, None, True), (None, 1, True), (1, None, True), (2, None, False), (1, 2, False)]
)
def test_other_threads_of_onnxruntime_are_refused_and_the_same_are_not(before, after, same):
    """None: those of torch, of which there is one."""
    reports = [made(timed("a", spread(1.0))) for _ in range(2)]
    for value, threads in zip(reports, (before, after), strict=True):
        value["settings"]["onnxruntime_threads"] = threads
    if same:
        assert len(compare_reports(*reports, limit=None)) == 1
    else:
        message = refused(*reports)
        assert f"onnxruntime had threads [{before}], in this one [{after or 1}]" in message
        assert "run with the same --onnxruntime-threads" in message


def test_other_threads_are_refused():
    old, new = made(timed("a", spread(1.0))), made(timed("a", spread(1.0)))
    new["settings"]["threads"] = [2]
    message = refused(old, new)
    assert "threads [1], this one of [2]" in message
    assert "--threads" in message


def test_another_reference_is_refused():
    old = made(timed("a", spread(1.0)), reference="eager-grad")
    message = refused(old, made(timed("a", spread(1.0))))
    assert "'eager-grad'" in message
    assert f"'{REFERENCE}'" in message
    assert message.endswith("use --reference eager-grad")


@pytest.mark.parametrize(
    "new",
    [made(timed("b", spread(1.0))), made(timed("a", spread(1.0)), batch=64), made(floor()), made(struck_out("a"))],
    ids=["name", "batch", "floor", "struck out"],
)
def test_reports_without_a_common_row_are_refused(new):
    message = refused(made(timed("a", spread(1.0))), new)
    assert "no row in common" in message
    assert "--batch" in message


@pytest.mark.parametrize(("before", "after"), [(1, 10), (10, 1), (1, 1)])
def test_one_process_is_refused(before, after):
    """The whole line would pass every slowdown in silence."""
    old, new = (
        made(timed("a", spread(1.0, count=before))),
        made(timed("a", spread(2.0, count=after))),
    )
    message = refused(old, new)
    assert "two processes or more" in message
    assert "--processes" in message


# ---- one report with an older artifact as its reference --------------------------------------------------------------


def test_beside_the_reference_the_ratio_itself_is_the_change():
    rows = [
        reference("against"),
        timed("null", spread(2.0), verdict=None),
        timed("this", spread(1.05), ratio=as_values(1.05, 1.01, 1.09), verdict="slower"),
        timed("open", spread(1.05), ratio=as_values(1.05, 0.0, None), verdict="inconclusive"),
        timed("unsure", spread(1.05), ratio=as_values(1.05, 0.99, 1.11), verdict="inconclusive"),
        timed("allowed", spread(1.02), ratio=as_values(1.02, 1.01, 1.03), verdict="inconclusive"),
        floor(),
        struck_out("wrong"),
        skipped("absent", "no device"),
    ]
    found = slower_than_reference(report(comparison(rows, 64, 2, "cuda"), reference="against"), limit=LIMIT)
    assert [(entry.name, entry.slower) for entry in found] == [
        ("this", True),
        ("open", False),
        ("unsure", False),
        ("allowed", False),
    ]
    assert {(entry.device, entry.threads, entry.batch) for entry in found} == {("cuda", 2, 64)}
    this, unbounded = found[:2]
    assert (this.ratio.estimate, this.ratio.low, this.ratio.high) == (1.05, 1.01, 1.09)
    assert (unbounded.ratio.low, unbounded.ratio.high) == (0.0, math.inf)


def test_beside_the_reference_no_limit_judges_nothing():
    rows = [reference(), timed("this", spread(9.0), ratio=as_values(9.0, 8.0, 10.0), verdict="slower")]
    found = slower_than_reference(report(comparison(rows)), limit=None)
    assert [(entry.name, entry.slower) for entry in found] == [("this", False)]


# ---- how often it is right -------------------------------------------------------------------------------------------

NAMES = [f"variant-{place}" for place in range(12)]


def drawn(generator, slowed: float = 1.0):
    """A report of twelve rows at two batches over ten processes, whose rows differ by their layout."""
    return report(
        *(
            comparison(
                [
                    reference(),
                    *(
                        timed(
                            name,
                            (0.5 + place / 4)
                            * (slowed if (name, batch) == (NAMES[3], 4096) else 1.0)
                            * np.exp(generator.normal(0.0, SPREAD, 10)),
                        )
                        for place, name in enumerate(NAMES)
                    ),
                ],
                batch,
            )
            for batch in (1, 4096)
        )
    )


def test_an_unchanged_report_passes_twenty_times_out_of_twenty():
    generator = np.random.default_rng(20261124)
    for _ in range(20):
        changes = compare_reports(drawn(generator), drawn(generator), limit=LIMIT)
        assert len(changes) == 24
        assert not [change for change in changes if change.slower]


def test_a_row_that_is_five_percent_slower_is_found():
    generator = np.random.default_rng(20261125)
    found = 0
    for _ in range(20):
        slower = [
            (change.name, change.batch)
            for change in compare_reports(drawn(generator), drawn(generator, 1.05), limit=LIMIT)
            if change.slower
        ]
        assert slower in ([], [(NAMES[3], 4096)])
        found += bool(slower)
    assert found >= 19


def test_an_interval_that_had_to_pass_the_limit_would_miss_half_of_them():
    """Why the rule is as it is: the same slowdowns, judged by the low end of the interval."""
    generator = np.random.default_rng(20261125)
    passed = [
        max(change.ratio.low for change in compare_reports(drawn(generator), drawn(generator, 1.05), limit=LIMIT))
        > 1 + LIMIT
        for _ in range(20)
    ]
    assert sum(passed) < 19


def test_beside_the_reference_an_unchanged_artifact_passes_and_a_slow_one_does_not():
    generator = np.random.default_rng(20261126)
    for slowed in (1.0, 1.05):
        failed = 0
        for _ in range(20):
            estimates = slowed * np.exp(generator.normal(0.0, SPREAD, 10))
            low, high = np.exp(ttest_1samp(np.log(estimates), 0.0).confidence_interval(0.95))
            this = timed(
                "this", estimates, ratio=as_values(float(np.exp(np.log(estimates).mean())), low, high), verdict="slower"
            )
            failed += slower_than_reference(report(comparison([reference(), this])), limit=LIMIT)[0].slower
        assert failed == 0 if slowed == 1.0 else failed >= 19
