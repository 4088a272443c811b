"""The terminal shows names as text, whatever they look like, and a wrong row without a latency."""

from typing import Any

import pytest

from bench.analysis.statistics import Ratio
from bench.report import tables
from bench.report.gate import Change
from linreg.escaping import printable
from tests.bench_reports import (
    REFERENCE,
    comparison,
    floor,
    parsed,
    report,
    row,
    skipped,
    start,
    struck_out,
)
from tests.report_pages import page_of, text_of
from tests.table_text import NAMES, cells, of, rendered


def test_a_comparison_has_a_row_a_variant():
    value = report(comparison([row(REFERENCE), row("third", 0.4), floor(), struck_out("bad"), skipped("no", "x")], 64))
    title, _, headings, _, third, reference, empty, bad, end, *_ = rendered(of(value))
    assert title.strip() == f"batch 64, 1 thread, CPU, 10 processes; ratios to {REFERENCE}"
    assert cells(headings) == ["variant", "median", "ratio", "95 % interval", "verdict", "error / allowed", "bit-equal"]
    assert cells(reference) == [REFERENCE, "7 µs", "1", "", "", "0.25", "yes"]
    assert cells(third) == ["third", "2.8 µs", "0.400", "0.398 to 0.402", "fastest", "0.25", "yes"]
    assert cells(empty) == ["floor", "28 ns", "", "", "", "", ""]
    assert cells(bad) == ["bad", "", "", "", "bad: output (0, 0) is nan, expected 1 within 0.1", "", "no"]
    assert set(end) == {*"└─┴┘"}  # a skipped row is no row


def test_a_wrong_row_is_struck_out_and_comes_last():
    value = report(comparison([row(REFERENCE), struck_out("wrong"), row("right", 0.5)]))
    lines = rendered(of(value), force_terminal=True, color_system="standard")
    struck = [place for place, line in enumerate(lines) if "\x1b[9m" in line]
    assert len(struck) == 1
    assert "\x1b[9mwrong" in lines[struck[0]]
    assert REFERENCE in lines[struck[0] - 1]


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
    title, _, _, _, graph, *_ = rendered(of(value))
    assert title.startswith("batch 1, 2 threads, CUDA")
    assert cells(graph)[4] == "fastest (launch-bound)"


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


def test_many_skipped_rows_are_counted():
    rows = [skipped(f"row-{number}", "torch sees no CUDA device") for number in range(13)]
    value = report(comparison([row(REFERENCE)]), comparison(rows, 1, 1, "cuda"), comparison(rows, 64, 1, "cuda"))
    assert tables.skipped(parsed(value)) == ["13 CUDA rows skipped: torch sees no CUDA device"]


def test_null_and_floor_are_explained_where_they_are_rows():
    value = report(comparison([row(REFERENCE), row("null", 1.0), floor()]))
    assert tables.explanation(parsed(value)) == (
        "null: a second copy of the reference, shows the noise; floor: an empty call"
    )
    assert tables.explanation(parsed(report(comparison([row(REFERENCE)])))) == ""


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


@pytest.mark.parametrize(
    ("torch", "onnxruntime", "title"),
    [
        (1, 1, "from the start of a fresh process, 1 thread"),
        (2, 1, "from the start of a fresh process, 2 threads (onnxruntime 1)"),
        (None, None, "from the start of a fresh process"),  # a report of an earlier version
    ],
)
def test_the_lifecycle_names_its_threads(torch, onnxruntime, title):
    rows = [start("onnxruntime-run", library="onnxruntime", threads=onnxruntime), start("pt2", threads=torch)]
    value = parsed(report(lifecycle=rows))
    assert tables.lifecycle_table(value).title == title
    heading = next(part for part in page_of(report(lifecycle=rows)).root.iter("h2") if part.get("id") == "lifecycle")
    assert text_of(heading).lower() == title


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


def test_the_fastest_runtime_begins_each_batch_size_and_the_slowest_change_ends_each():
    def ratio(estimate):
        return {"estimate": estimate, "low": estimate, "high": estimate}

    rows = [runtime("python"), runtime("java", ratio(1.2)), runtime("c", ratio(0.5))]
    rows = [{**own, "batch": batch} for batch in (4096, 1) for own in rows]
    table = tables.runtimes_table(parsed(report(runtimes=runtimes_of(*rows))))
    assert [(cells[0], cells[2]) for cells in table.rows] == [
        (name, batch) for batch in ("1", "4096") for name in ("c", "python", "java")
    ]
    changes = [
        Change(device="cpu", threads=1, batch=batch, name=name, ratio=Ratio(**ratio(estimate)), slower=False)
        for batch in (64, 1)
        for name, estimate in (("a", 1.1), ("b", 0.9), ("c", 1.0))
    ]
    found = [(cells[0], cells[1]) for cells in tables.changes_table(changes).rows]
    assert found == [(name, f"cpu {batch} x 1") for batch in (1, 64) for name in "bca"]


def test_runtimes_stand_beside_python():
    title, _, headings, _, program, python, *_ = rendered(tables.runtimes_table(parsed(report(runtimes=RUNTIMES))))
    assert "without Python" in title
    assert cells(headings)[0] == "runtime"
    rows_per_s = "2,048"  # millions, and never a power of ten
    assert cells(python) == ["python", "1.32", "4096", "2 µs", rows_per_s, "1", "", "5 cases, bit-equal"]
    assert cells(program) == ["c", "1.32", "4096", "2 µs", rows_per_s, "0.500", "0.250 to 0.750", "5 cases, bit-equal"]
