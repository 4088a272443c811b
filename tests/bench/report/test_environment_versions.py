"""A comparison of environments names their versions, not those of the process that compared them."""

from dataclasses import replace

from bench.analysis.environments import EnvironmentVersions
from bench.environment import describe_environment
from bench.report.markdown import to_markdown
from bench.report.page import to_page
from tests.bench_measured import environments, made

FOUND = (
    EnvironmentVersions(name="old_1", python="3.10.1", versions={"torch": "1.99.0"}),
    EnvironmentVersions(name="<new>", python="3.13.2", versions={"torch": "2.99.0", "numpy": "2.0.1"}),
)


def compared():
    """A report by a process with a Python and a torch of its own."""
    here = {"python": "3.0.0", "versions": {"torch": "0.0.1"}, "cpu_capability": "AVX9"}
    return made(environment=replace(describe_environment(), **here), environments=replace(environments(), found=FOUND))


def test_the_conditions_of_the_page():
    page = to_page(compared()).partition('id="conditions"')[2].partition("<details")[0]
    assert "<dt>old_1</dt><dd>Python 3.10.1, torch 1.99.0</dd>" in page
    assert "<dt>&lt;new&gt;</dt><dd>Python 3.13.2, torch 2.99.0, numpy 2.0.1</dd>" in page
    assert "processor" in page
    assert not [own for own in ("3.0.0", "0.0.1", "AVX9") if own in page]


def test_the_last_line_of_the_markdown():
    last = to_markdown(compared()).splitlines()[-1]
    there = r"old_1: Python 3.10.1, torch 1.99.0; &lt;new&gt;: Python 3.13.2, torch 2.99.0, numpy 2.0.1; "
    assert there in last
    assert "0.0.1" not in last
