"""The page says what the self-check of its machine found: whether to trust a verdict, and what can be seen."""

import pytest

from bench.report.findings import resolution
from tests.bench_reports import REFERENCE, comparison, parsed, report, row
from tests.report_pages import facts_of, page_of, text_of

FOUND = {"after_2_s": 0.0123, "after_10_s": 0.0055, "benchmark": 0.0042}


def checked(**changes):
    quiet = row("null", 1.0, ratio={"estimate": 1.0, "low": 0.998, "high": 1.004})
    return report(
        comparison([row(REFERENCE), quiet]), self_check={"passed": True, "failures": [], "resolution": FOUND, **changes}
    )


def test_the_resolution_is_in_the_summary_and_among_the_figures():
    page = page_of(checked())
    summary = next(part for part in page.root.iter("section") if part.get("aria-labelledby") == "summary")
    assert "a difference below 0.42 % cannot be seen on this machine" in text_of(summary)
    facts = facts_of(page)
    assert facts["smallest difference that is found within 2 s"] == "1.23 %"
    assert facts["the same within 10 s"] == "0.55 %"
    assert facts["the same in a default benchmark"] == "0.42 %"
    assert "resolution" not in facts


@pytest.mark.parametrize("found", [None, "0.01", {}, {"benchmark": None}, {"benchmark": 0}, {"benchmark": "<b>"}])
def test_without_a_resolution_nothing_is_said(found):
    assert resolution(parsed(checked(resolution=found))) is None
    assert "cannot be seen" not in text_of(page_of(checked(resolution=found)).root)
    assert resolution(parsed(report())) is None


def test_a_coarse_resolution_is_no_failure():
    page = page_of(checked(resolution={**FOUND, "benchmark": 0.3}))
    assert "Passed." in text_of(page.root)
    assert "FAILED" not in text_of(page.root)
