"""The page holds the report as Markdown, to be copied with or without its script."""

import pytest

from bench.report.markdown import to_markdown
from linreg.escaping import printable
from tests.bench_reports import SAMPLES, parsed
from tests.report_pages import page_of


@pytest.mark.parametrize("name", ["usual", "wrong", "hostile"])
def test_the_markdown_of_the_page_is_that_of_the_report(name):
    (details,) = page_of(SAMPLES[name]).root.iter("details")
    expected = "\n".join(map(printable, to_markdown(parsed(SAMPLES[name])).splitlines()))
    assert "".join(details.find("pre").itertext()) == expected
