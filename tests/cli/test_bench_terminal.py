"""What `linreg bench` shows on a terminal of 80 columns: the answer first, and no broken word."""

import re

import pytest

from bench.report.report import Report
from tests.cli.test_tables import on_a_terminal, plain
from tests.conftest import ROOT

BENCH = ROOT / "artifacts" / "reference" / "penguins" / "bench.json"
SHOW = """
from pathlib import Path
from bench.report.report import Report
from linreg.cli.bench_output import show_report
show_report(Report.read({path!r}), markdown=False)
"""


@pytest.fixture(scope="module")
def shown() -> str:
    return plain(on_a_terminal(SHOW.format(path=str(BENCH))))


def test_the_answer_comes_first(shown):
    first, *_ = shown.splitlines()
    row = min(
        (own for own in Report.read(BENCH).comparisons[0].rows if own.verdict), key=lambda own: own.ratio.estimate
    )
    assert first.startswith(f"batch 1: {row.name} takes {row.ratio.estimate:.3f} of the time of ")


def test_no_line_is_wider_than_the_terminal_and_every_word_is_whole(shown):
    assert max(map(len, shown.splitlines())) <= 80
    wide = plain(on_a_terminal(SHOW.format(path=str(BENCH)), columns=200))
    words = set(re.findall(r"[\w.µ%-]+", wide)) - {"error", "allowed", "bit-equal", "yes", "no", "0.08", "0.09"}
    for word in words:
        assert word in shown, word


def test_the_bar_below_the_heading_is_the_only_rule(shown):
    assert not set(shown) & set("┃│┏└")


def test_a_number_stays_in_one_line_with_its_unit():
    sentence = "io_binding: answers identical; batch 1: time changes by -3.1 to +1.7 %"
    code = f"from linreg.cli.terminal import say_wrapped; say_wrapped({sentence!r})"
    for columns in (len(sentence) - 1, len(sentence) - 2):
        assert plain(on_a_terminal(code, columns=columns)).splitlines()[-1] == "  +1.7 %"
