"""Rows are in the order of their ratios, in tables and in figures."""

from bench.report.order import by_ratio
from bench.report.plot_data import forest, starts
from tests.bench_reports import REFERENCE, comparison, floor, parsed, report, row, skipped, start, struck_out
from tests.report_pages import page_of, rows_of, text_of

ROWS = [
    floor(),
    struck_out("wrong"),
    row("slow", 2.0),
    skipped("absent", "no device"),
    row(REFERENCE),
    row("null", 0.99),
    row("fast", 0.5),
    row("same", 0.995, verdict="equivalent"),
]
ORDER = ["fast", "same", REFERENCE, "null", "slow", "floor", "wrong"]


def test_the_fastest_row_is_the_first_and_a_wrong_one_the_last():
    value = parsed(report(comparison(ROWS)))
    assert [own.name for own in by_ratio(value.comparisons[0])] == ORDER


def test_the_page_has_that_order_in_each_table_and_figure():
    value = report(comparison(ROWS))
    page = page_of(value)
    assert [text_of(line[0]) for line in rows_of(page, "batch 1, 1 thread, CPU")] == ORDER
    tails = [text_of(line[0]) for line in rows_of(page, "batch 1, 1 thread, CPU", 1)]
    assert tails == [name for name in ORDER if name != "wrong"]
    drawn = [name for name in ORDER if name != "floor"]
    assert [own.name for own in forest(parsed(value).comparisons[0]).rows] == drawn
    assert [text_of(line[0]) for line in rows_of(page, "Worst error and bit equality")] == drawn


def test_the_first_to_answer_is_the_first_of_the_starts():
    value = report(lifecycle=[start("late", load_s=2.0), start("early", load_s=0.001), start("between")])
    assert [own.name for own in starts(parsed(value))] == ["early", "between", "late"]
    assert [text_of(line[0]) for line in rows_of(page_of(value), "Medians of the samples")] == [
        "early",
        "between",
        "late",
    ]


def test_the_fastest_runtime_of_each_batch_is_the_first():
    def runtime(name, batch, estimate):
        ratio = None if estimate is None else {"estimate": estimate, "low": estimate * 0.9, "high": estimate * 1.1}
        kept = {"version": "1", "proof": "p: ok", "median_s": 1e-6, "rows_per_s": 1e6, "processes": []}
        return {**kept, "name": name, "batch": batch, "ratio": ratio}

    rows = [runtime("python", 1, None), runtime("node", 1, 2.0), runtime("c", 1, 0.2)]
    rows += [runtime("python", 64, None), runtime("c", 64, 1.2)]
    page = page_of(report(runtimes={"reference": "python", "missing": {}, "rows": rows}))
    table = rows_of(page, "model.onnx; libtorch runs model.torchscript, standalone-c and standalone-js source code")
    assert [(text_of(line[0]), text_of(line[2])) for line in table] == [
        ("c", "1"),
        ("python", "1"),
        ("node", "1"),
        ("python", "64"),
        ("c", "64"),
    ]
