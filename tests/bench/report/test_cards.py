"""The cards answer first: what is fastest in Python and without it, and what it takes to ship."""

import pytest

from bench.report.cards import cards
from bench.report.markdown import to_markdown
from bench.report.notebook import to_fragment
from bench.report.tables import lifecycle_table
from tests.bench_reports import (
    REFERENCE,
    SAMPLES,
    comparison,
    parsed,
    report,
    row,
    skipped,
    start,
    struck_out,
    usual_rows,
)
from tests.report_pages import page_of, rows_of, text_of
from tests.table_text import Page


def entries(place, *comparisons, **changes):
    card = cards(parsed(report(*comparisons, **changes)))[place]
    return [(entry.label, entry.value, entry.detail) for entry in card.entries]


def runtime(name, batch, estimate, median_s):
    ratio = None if estimate is None else {"estimate": estimate, "low": estimate * 0.99, "high": estimate * 1.01}
    kept = {"version": "1", "proof": "p: ok", "rows_per_s": 1e6, "processes": []}
    return {**kept, "name": name, "batch": batch, "ratio": ratio, "median_s": median_s}


def without_python(*rows):
    return entries(1, runtimes={"reference": "python", "missing": {}, "rows": list(rows)})


def test_the_fastest_in_python_stands_beside_the_reference():
    assert entries(0, comparison(usual_rows())) == [
        (
            "batch 1, 1 thread, CPU",
            "onnxruntime-io_binding, 2.60×",
            f"0.384 (0.382 to 0.386) of the time of {REFERENCE}: 2.69 µs against 7 µs per call.",
        )
    ]


def test_variants_that_cannot_be_told_apart_are_named():
    ((_, value, detail),) = entries(0, comparison([row(REFERENCE), row("a", 0.5), row("b", 0.501), row("c", 0.6)]))
    assert value == "a, 2.00×"
    assert detail.endswith("It cannot be distinguished from b.")


def test_a_wrong_variant_is_never_the_fastest():
    bad = row("bad", 0.1, problem="output (0, 0) is nan")
    ((_, value, _),) = entries(0, comparison([row(REFERENCE), row("a", 0.5), bad]))
    assert value == "a, 2.00×"


def test_no_win_is_claimed_where_there_is_none():
    slower = comparison([row(REFERENCE), row("null", 0.9), row("a", 0.97, verdict="inconclusive")])
    ((_, value, detail),) = entries(0, slower)
    assert value == f"{REFERENCE} is not beaten"
    assert "The closest, a, takes 0.970" in detail


def test_a_comparison_of_what_cannot_run_has_no_entry():
    assert len(entries(0, comparison(usual_rows()), comparison([skipped("cuda-graph", "no device")], 64))) == 1


def test_many_batch_sizes_with_one_winner_share_an_entry():
    def rows(first, second):
        return [row(REFERENCE), row("a", first), row("b", second)]

    own = [comparison(rows(0.5 - place / 100, 0.8), 2**place) for place in range(7)]
    own += [comparison(rows(0.9, 0.4), 2**place) for place in (7, 8)]
    own += [comparison([row(REFERENCE), row("a", 1.2)], 2**place) for place in (9, 10, 11)]
    assert entries(0, *reversed(own)) == [
        ("batch 1 to 64, 1 thread, CPU", "a, 2.00× to 2.27×", "3.5 µs per call at batch 1, 3.08 µs at batch 64."),
        ("batch 128 and 256, 1 thread, CPU", "b, 2.50×", "2.8 µs per call at batch 128, 2.8 µs at batch 256."),
        ("batch 512 to 2048, 1 thread, CPU", f"{REFERENCE} is not beaten", ""),
    ]


def test_devices_and_numbers_of_threads_never_share_an_entry():
    rows = [row(REFERENCE), row("a", 0.5)]
    own = [comparison(rows, batch, threads) for threads in (1, 2) for batch in (1, 64)]
    own += [comparison(rows, batch, device="cuda") for batch in (1, 64)]
    assert [label for label, _, _ in entries(0, *own)] == [
        "batch 1 and 64, 1 thread, CPU",
        "batch 1 and 64, 2 threads, CPU",
        "batch 1 and 64, 1 thread, CUDA",
    ]


def test_the_fastest_without_python_is_named_for_each_batch_size():
    found = without_python(
        runtime("python", 1, None, 4.8e-6),
        runtime("c", 1, 0.25, 1.2e-6),
        runtime("standalone-c", 1, 0.0005, 2.4e-9),
        runtime("python", 4096, None, 13e-6),
        runtime("c", 4096, 0.4, 5.2e-6),
        runtime("libtorch", 4096, 0.401, 5.21e-6),
    )
    assert [(label, value) for label, value, _ in found] == [
        ("batch 1", "standalone-c, 2,000×"),
        ("batch 4096", "c, 2.50×"),
    ]
    assert "of the time of onnxruntime in Python: 2.4 ns against 4.8 µs per call." in found[0][2]
    assert found[1][2].endswith("It cannot be distinguished from libtorch.")


@pytest.mark.parametrize("estimate", [0.995, 2.0])
def test_python_is_beaten_only_by_what_is_shown_to_be_faster(estimate):
    ((_, value, detail),) = without_python(runtime("python", 1, None, 5e-6), runtime("node", 1, estimate, 1e-5))
    assert value == "Python is not beaten"
    assert detail.startswith("The closest, node: ")


def test_shipping_costs_time_memory_and_a_file():
    light = {"import_s": 0.06, "load_s": 0.002, "calls_s": [0.001, 0.0, 0.0], "memory_bytes": 44_000_000}
    rows = [
        start(REFERENCE, file_bytes=0),
        start("onnxruntime-run", file_bytes=604, **light),
        start("pt2", file_bytes=8162, memory_bytes=300_000_000),
    ]
    assert entries(2, lifecycle=rows) == [
        ("time to the first answer", "63 ms", f"onnxruntime-run; {REFERENCE}: 1.63 s."),
        ("memory", "42 MiB", f"onnxruntime-run; {REFERENCE}: 210 MiB."),
        ("file", "604 B", "onnxruntime-run; pt2: 7.97 KiB."),
    ]


def test_what_too_few_processes_left_out_is_named_with_the_option_that_measures_it():
    settings = {**report()["settings"], "processes_run": 2}
    missing = ["torchscript", "pt2", "bad"]
    rows = [*usual_rows(), struck_out("bad")]
    value = report(comparison(rows), settings=settings, lifecycle=[start("a")], lifecycle_missing=missing)
    said = "not measured: torchscript, pt2; --processes 5 measures all"
    kept = parsed(value)
    assert lifecycle_table(kept).below == (said,)
    assert said in Page(to_markdown(kept)).outside
    assert f"<p>{said}</p>" in to_fragment(kept)
    assert text_of(page_of(value).root).count(said) == 3  # the card, the table, and the Markdown to copy
    for none in ([], ["bad"]):
        assert lifecycle_table(parsed(report(comparison(rows), lifecycle_missing=none))).below == ()


def test_a_card_without_an_answer_names_the_option_that_gives_one():
    page = page_of(SAMPLES["one process"])
    shown = [text_of(part) for part in page.root.iter("div") if part.get("class") == "card"]
    assert [text.partition(" Not ")[0] for text in shown[1:]] == ["Fastest without Python", "What it takes to ship"]
    assert shown[1].endswith("--runtimes deploy")
    assert shown[2].endswith("--processes 1")
    nothing = page_of(SAMPLES["all wrong"])
    assert "Nothing could be timed here." in text_of(nothing.root)


def test_the_winner_is_marked_in_its_table():
    page = page_of(report())
    (best,) = [line for line in page.root.iter("tr") if line.get("class") == "best"]
    assert text_of(best[0]) == "onnxruntime-io_binding"
    assert text_of(rows_of(page, "batch 1, 1 thread, CPU")[0][4]) == text_of(best[4]) == "fastest"


def test_no_line_ends_between_a_number_and_its_unit():
    (card, *_) = [part for part in page_of(report()).root.iter("div") if part.get("class") == "card"]
    detail = "".join(next(part for part in card.iter("span") if part.get("class") == "detail").itertext())
    assert "2.69\u00a0µs against 7\u00a0µs per call" in detail
