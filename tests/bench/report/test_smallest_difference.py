"""What a report is too coarse for: the resolution of its machine, or what a disturbed run does not claim."""

import math
from dataclasses import replace

import pytest

from bench.report.findings import noise_floor, smallest_difference
from bench.report.markdown import to_markdown
from tests.bench_reports import REFERENCE, comparison, parsed, report, row
from tests.report_pages import page_of, text_of
from tests.table_text import Page


def checked(found, *comparisons, **changes):
    return report(*comparisons, self_check={"passed": True, "failures": [], "resolution": found}, **changes)


def beside(low: float, high: float, batch: int = 1):
    null = row("null", 1.0, ratio={"estimate": 1.0, "low": low, "high": high})
    return comparison([row(REFERENCE), null], batch)


def shown_everywhere(value, said: str) -> None:
    assert said in Page(to_markdown(parsed(value))).outside
    assert said in text_of(page_of(value).root)


@pytest.mark.parametrize(
    ("found", "said"),
    [(0.00412, "0.41 %"), (0.02638, "2.6 %"), (0.1, "10 %"), (0.999, "100 %"), (0.00001, "0.001 %")],
)
def test_a_quiet_run_has_the_resolution_of_its_machine(found, said):
    value = checked({"benchmark": found}, beside(0.998, 1.004))
    line = f"differences below {said} cannot be seen here (linreg bench --self-check)"
    assert smallest_difference(parsed(value)) == line
    shown_everywhere(value, line)


@pytest.mark.parametrize("found", [{"benchmark": 0.0041}, None])
def test_a_disturbed_run_says_what_it_does_not_claim(found):
    value = checked(found, beside(0.93, 1.0725))
    line = "in this run, differences below 14.50 % are not claimed"
    assert smallest_difference(parsed(value)) == line
    assert "No difference below 14.50 % is claimed" in noise_floor(parsed(value))
    shown_everywhere(value, line)
    assert "cannot be seen" not in text_of(page_of(value).root)


def test_of_several_comparisons_the_worst_is_named():
    value = parsed(checked({"benchmark": 0.0041}, beside(0.999, 1.001), beside(0.99, 1.001, 64)))
    assert smallest_difference(value) == (
        "in this run, differences below 2.00 % are not claimed at batch 64, 1 thread, CPU"
    )


def test_the_larger_of_both_is_said():
    value = parsed(checked({"benchmark": 0.03}, beside(0.99, 1.001)))
    assert smallest_difference(value).startswith("differences below 3 % cannot")


@pytest.mark.parametrize(
    "found", [None, {}, *({"benchmark": one} for one in ("1", math.inf, math.nan, 0.0, None))], ids=str
)
def test_without_a_resolution_a_quiet_run_says_nothing(found):
    value = replace(parsed(report(beside(0.998, 1.004))), self_check={"resolution": found})
    assert smallest_difference(value) == ""


def test_more_processes_than_those_of_the_self_check_see_more():
    settings = {**report()["settings"], "processes_run": 16}
    assert smallest_difference(parsed(checked({"benchmark": 0.004}, beside(0.998, 1.004), settings=settings))) == ""
