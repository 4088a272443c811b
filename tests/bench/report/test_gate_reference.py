"""An older artifact as the reference, and how often the gate is right."""

import math

import numpy as np
from scipy.stats import ttest_1samp

from tests.bench_reports import comparison, floor, report, skipped, struck_out
from tests.gate_reports import (
    LIMIT,
    SPREAD,
    as_values,
    compare_reports,
    reference,
    slower_than_reference,
    spread,
    timed,
)

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
