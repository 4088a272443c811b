"""A pull request shows names as text, whatever they look like."""

import pytest

from bench.report import tables
from bench.report.markdown import to_markdown
from tests.bench.report.test_tables import RUNTIMES, runtime, runtimes_of
from tests.bench_reports import (
    REFERENCE,
    SAMPLES,
    comparison,
    environment,
    floor,
    parsed,
    report,
    row,
    skipped,
    start,
    struck_out,
)
from tests.table_text import MARKUP, NAMES, Page, cells, flat, of, rendered


def test_markdown_has_the_cells_of_the_terminal():
    value = report(
        comparison([row(REFERENCE), row("third", 0.4), floor(), struck_out("bad"), skipped("no", "x")], 64),
        comparison([skipped("graph", "no CUDA")], 64, device="cuda"),
        runtimes=RUNTIMES,
    )
    text = to_markdown(parsed(value))
    page = Page(text)
    terminal = [
        cells(line)
        for table in (of(value), tables.lifecycle_table(parsed(value)), tables.runtimes_table(parsed(value)))
        for line in rendered(table)
        if line[:1] in ("│", "┃")
    ]
    assert page.rows == terminal
    assert page.struck == ["bad"]
    assert page.elements.count("table") == 3  # nothing was timed on CUDA
    assert "cpu: no: skipped: x" in page.outside
    assert "cuda: graph: skipped: no CUDA" in page.outside
    assert "2 cores of AMD EPYC; torch 2.13.0+cpu, numpy 2.4.6; linreg bench -m my model" in page.outside
    assert "eager-inference_mode" in text  # legible as it is, too


@pytest.mark.parametrize("name", [name for name in NAMES if name])
def test_markdown_shows_names_as_text(name):
    value = report(
        comparison([row(name), row(name, 0.5), struck_out(name), skipped(name, name)]),
        reference=name,
        scope=name,
        lifecycle=[start(name)],
        runtimes=runtimes_of(runtime(name, version=name)),
        environment=environment(processor=name, versions={name: name}),
        command=["linreg", "bench", name],
    )
    page = Page(to_markdown(parsed(value)))
    bare = flat(name).replace("\x00", "\ufffd")
    assert [len(line) for line in page.rows] == [7] * 4 + [9] * 2 + [8] * 2
    assert [page.rows[place][0] for place in (1, 2, 3, 5, 7)] == [bare] * 5
    assert page.rows[7][1] == bare
    ours = {"ul": 1, "strong": 3, "s": 1, "code": 1}  # the answers, titles, a struck-out name, the command
    assert {element: page.elements.count(element) for element in MARKUP & set(page.elements)} == ours
    assert page.outside.count(bare) >= 5


@pytest.mark.parametrize("name", SAMPLES)
def test_every_report_can_be_shown(name):
    value = SAMPLES[name]
    for place in range(len(value["comparisons"])):
        assert rendered(of(value, place))
    rendered(tables.lifecycle_table(parsed(value)))
    page = Page(to_markdown(parsed(value)))
    timed = sum(any(not own["problem"].startswith("skipped") for own in part["rows"]) for part in value["comparisons"])
    assert page.elements.count("table") == timed + bool(value["lifecycle"])
