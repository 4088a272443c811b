"""The terminal and a pull request show names as text, whatever they look like, and a wrong row without a latency.

Oracles: rich's own console, and a Markdown parser.
"""

import math
from html.parser import HTMLParser
from typing import Any

import numpy as np
import pytest
from markdown_it import MarkdownIt
from rich.console import Console

from bench.report import tables
from bench.report.markdown import to_markdown
from bench.report.numbers import duration, number
from bench.report.tables import Table
from bench.report.terminal import TerminalTable
from linreg.escaping import printable
from tests.bench_reports import (
    HOSTILE,
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

NAMES = [
    *HOSTILE,
    "[bold]x",
    "[link=file:///etc/passwd]y[/link]",
    ":smile:",
    "\\[",
    "a [0, 0] b",
    "a|b\\|c\\",
    "*a* **b** `c` ~~d~~ _e_ ![f](g) [h](i)",
    "&amp;",
    "a\r\nb",
]
MARKUP = {"strong", "em", "s", "code", "a", "img", "script", "br", "h1", "ul"}


def rendered(table: Table, *, width: int = 400, **console_settings) -> list[str]:
    """The lines of a table, whose cells are wide enough for every text."""
    console = Console(width=width, emoji=False, highlight=False, **console_settings)
    with console.capture() as capture:
        console.print(TerminalTable(table))
    return capture.get().splitlines()


def cells(line: str) -> list[str]:
    return [cell.strip() for cell in line.strip("│┃").split("│" if "│" in line else "┃")]


def of(value, place: int = 0):
    return tables.comparison_table(parsed(value), parsed(value).comparisons[place])


class Page(HTMLParser):
    """The cells of a page's tables, and which elements it has."""

    def __init__(self, markdown: str) -> None:
        super().__init__()
        self.rows: list[list[str]] = []
        self.outside = ""
        self.elements: list[str] = []
        self.struck: list[str] = []
        self.feed(MarkdownIt("commonmark").enable(["table", "strikethrough"]).render(markdown))

    def handle_starttag(self, tag, attrs):
        self.elements.append(tag)
        if tag == "tr":
            self.rows.append([])
        if tag in ("td", "th"):
            self.rows[-1].append("")

    def handle_endtag(self, tag):
        assert tag in self.elements
        if tag in ("td", "th", "p"):
            self.elements.append(f"/{tag}")

    def handle_data(self, data):
        last = [tag for tag in self.elements if tag in ("td", "th", "/td", "/th", "p", "/p")][-1:]
        if last in (["td"], ["th"]):
            self.rows[-1][-1] += data
            if self.elements[-1] == "s":
                self.struck.append(data)
        else:
            self.outside += data


def flat(text: str) -> str:
    """As Markdown shows it: a line break is a space, and spaces at the ends are none."""
    return " ".join(text.splitlines()).strip()


# ---- the terminal ----------------------------------------------------------------------------------------------------


def test_a_comparison_has_a_row_a_variant():
    value = report(comparison([row(REFERENCE), row("third", 0.4), floor(), struck_out("bad"), skipped("no", "x")], 64))
    title, _, headings, _, reference, third, empty, bad, end, *_ = rendered(of(value))
    assert title.strip() == f"batch 64, 1 thread, CPU, 10 processes; ratios to {REFERENCE}"
    assert cells(headings) == ["variant", "median", "ratio", "95 % interval", "verdict", "error / allowed", "bytes"]
    assert cells(reference) == [REFERENCE, "7 µs", "1", "", "", "0.25", "as eager"]
    assert cells(third) == ["third", "2.8 µs", "0.400", "0.398 to 0.402", "faster", "0.25", "as eager"]
    assert cells(empty) == ["floor", "28 ns", "", "", "", "", ""]
    assert cells(bad) == ["bad", "", "", "", "bad: output (0, 0) is nan, expected 1 within 0.1", "", "no"]
    assert set(end) == {*"└─┴┘"}  # a skipped row is no row


def test_a_wrong_row_is_struck_out_and_comes_last():
    value = report(comparison([row(REFERENCE), struck_out("wrong"), row("right", 0.5)]))
    lines = rendered(of(value), force_terminal=True, color_system="standard")
    struck = [place for place, line in enumerate(lines) if "\x1b[9m" in line]
    assert len(struck) == 1
    assert "\x1b[9mwrong" in lines[struck[0]]
    assert "right" in lines[struck[0] - 1]


@pytest.mark.parametrize("name", NAMES)
def test_names_are_text_and_not_markup(name):
    rows = [row(name), row(name, 0.5), struck_out(name)]
    runtimes = runtimes_of(runtime(name, version=name))
    value = report(comparison(rows), reference=name, lifecycle=[start(name)], runtimes=runtimes)
    shown = printable(name).strip()
    title, _, _, _, reference, other, bad, *_ = rendered(of(value), width=2000)
    assert title.strip().endswith(f"ratios to {shown}".strip())
    assert [cells(line)[0] for line in (reference, other, bad)] == [shown] * 3
    assert cells(bad)[4].startswith(f"{printable(name)}: output (0, 0)".strip())
    assert cells(rendered(tables.lifecycle_table(parsed(value)), width=2000)[4])[0] == shown
    assert cells(rendered(tables.runtimes_table(parsed(value)), width=2000)[4])[:2] == [shown] * 2


def test_launching_that_takes_most_of_a_row_is_told():
    value = report(comparison([row(REFERENCE), row("graph", 0.1, launch_bound=True)], 1, 2, "cuda"))
    title, *_, graph, _end = rendered(of(value))
    assert title.startswith("batch 1, 2 threads, CUDA")
    assert cells(graph)[4] == "faster (launch-bound)"


def test_an_open_interval_is_shown_as_infinity():
    open_ratio = {"estimate": 1.1, "low": 0.0, "high": None}
    value = report(comparison([row(REFERENCE), row("few", ratio=open_ratio, verdict="inconclusive")]))
    assert cells(rendered(of(value))[5])[2:4] == ["1.100", "0.000 to ∞"]


def test_what_was_skipped_is_one_line_a_reason_and_a_device():
    value = report(
        comparison([row(REFERENCE), skipped("a", "no CUDA"), skipped("b", "no CUDA"), skipped("c", "too old")], 1),
        comparison([row(REFERENCE), skipped("a", "no CUDA"), skipped("b", "no CUDA")], 64),
        comparison([skipped("a", "no CUDA"), struck_out("wrong")], 1, 1, "cuda"),
    )
    assert tables.skipped(parsed(value)) == [
        "cpu: a, b: skipped: no CUDA",
        "cpu: c: skipped: too old",
        "cuda: a: skipped: no CUDA",
    ]


@pytest.mark.parametrize(
    ("changes", "shown"),
    [
        ({}, ["1.5 s", "50 ms", "80 ms", "400 µs", "20 µs", "9 calls", "210 MiB", "67,816 calls"]),
        ({"break_even_calls": None}, [""]),
        ({"break_even_calls": 0}, ["at once"]),
        ({"break_even_calls": "never"}, ["never"]),
        ({"calls_until_steady": None, "break_even_calls": 1}, ["not yet", "210 MiB", "1 call"]),
        ({"calls_until_steady": 0, "break_even_calls": None}, ["0 calls", "210 MiB", ""]),
    ],
)
def test_the_lifecycle(changes, shown):
    line = rendered(tables.lifecycle_table(parsed(report(lifecycle=[start("pt2", **changes)]))))[4]
    assert cells(line)[0] == "pt2"
    assert cells(line)[-len(shown) :] == shown


def runtime(name: str, ratio: dict[str, float] | None = None, version: str = "1.32") -> dict[str, Any]:
    return {
        "name": name,
        "version": version,
        "batch": 4096,
        "proof": f"{name}: 5 cases, bit-equal",
        "median_s": 2e-6,
        "rows_per_s": 4096 / 2e-6,
        "ratio": ratio,
        "processes": [{"calls_per_block": 10, "block_ns": [20_000]}],
    }


def runtimes_of(*rows: dict[str, Any]) -> dict[str, Any]:
    return {"reference": "python", "missing": {"web": "no"}, "rows": list(rows)}


RUNTIMES = runtimes_of(runtime("python"), runtime("c", {"estimate": 0.5, "low": 0.25, "high": 0.75}))


def test_runtimes_stand_beside_python():
    title, _, headings, _, python, program, *_ = rendered(tables.runtimes_table(parsed(report(runtimes=RUNTIMES))))
    assert "without Python" in title
    assert cells(headings)[0] == "runtime"
    rows_per_s = "2,048"  # millions, and never a power of ten
    assert cells(python) == ["python", "1.32", "4096", "2 µs", rows_per_s, "1", "", "5 cases, bit-equal"]
    assert cells(program) == ["c", "1.32", "4096", "2 µs", rows_per_s, "0.500", "0.250 to 0.750", "5 cases, bit-equal"]


# ---- a pull request --------------------------------------------------------------------------------------------------


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
    assert set(page.elements) & MARKUP == {"strong", "s", "code"}  # a title, a struck-out name, the command: ours
    assert (page.elements.count("strong"), page.elements.count("s"), page.elements.count("code")) == (3, 1, 1)
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


# ---- figures ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (1.98e-6, "1.98 µs"),
        (5.46e-9, "5.46 ns"),
        (12.34e-6, "12.3 µs"),
        (0.000123456, "123 µs"),
        (0.0004, "400 µs"),
        (0.00999, "9.99 ms"),
        (1.0, "1 s"),
        (2.5, "2.5 s"),
        (999.4e-6, "999 µs"),
        (999.7e-6, "1 ms"),  # never 1e+03 µs
        (0.99999, "1 s"),
        (999.99e-9, "1 µs"),
        (1e-3, "1 ms"),
        (0.0, "0 ns"),
    ],
)
def test_durations_have_a_unit_that_fits(seconds, text):
    assert duration(seconds) == text


def test_no_duration_of_a_call_is_in_powers_of_ten():
    for seconds in np.geomspace(1e-9, 999, 20_011):
        shown, unit = duration(float(seconds)).split(" ")
        assert "e" not in shown
        assert float(shown) * {"ns": 1e-9, "µs": 1e-6, "ms": 1e-3, "s": 1.0}[unit] == pytest.approx(seconds, rel=5.1e-3)


@pytest.mark.parametrize(
    ("value", "text"),
    [(1.0, "1.000"), (0.0995, "0.100"), (0.00144, "0.0014"), (0.00051, "0.00051"), (0.0, "0.000"), (12.3456, "12.346")],
)
def test_ratios_have_three_decimals_and_small_ones_two_digits(value, text):
    assert number(value) == text


def test_an_open_end_is_infinity():
    assert number(math.inf) == "∞"
