"""The page of a report says what the report says, whatever is in it, and can do nothing but show it."""

import base64
import hashlib
import re
import xml.etree.ElementTree as ET

import pytest

from bench.report.numbers import duration
from bench.report.page import to_page
from linreg.escaping import printable
from tests.bench_reports import (
    CUDA,
    HOSTILE,
    REFERENCE,
    SAMPLES,
    comparison,
    hostile,
    parsed,
    report,
    row,
    skipped,
    struck_out,
    usual_rows,
)
from tests.report_pages import TAGS, facts_of, page_of, rows_of, text_of


@pytest.mark.parametrize("name", SAMPLES)
def test_every_report_is_a_sound_page_that_can_do_nothing(name):
    page = page_of(SAMPLES[name])
    assert {element.tag for element in page.root.iter()} <= TAGS
    for element in page.root.iter():
        for attribute in element.attrib:
            assert attribute not in {"src", "href", "style", "action", "xlink:href"}
            assert not attribute.startswith("on")
    for picture in page.pictures:
        ET.fromstring(picture)
        for number in re.findall(r'(?:x|x1|x2|width)="(-?[\d.]+)%"', picture):
            assert 0 <= float(number) <= 100
    identifiers = [element.get("id") for element in page.root.iter() if element.get("id")]
    assert len(set(identifiers)) == len(identifiers)
    for element in page.root.iter():
        assert set((element.get("aria-labelledby") or "").split()) <= set(identifiers)
    assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f\u202e]", page.text)
    assert "987654321" not in page.text  # the raw blocks stay in bench.json


def test_the_policy_allows_the_style_and_the_script_by_their_hashes_and_nothing_else():
    page = page_of(report())
    (policy,) = [meta.get("content") for meta in page.root.iter("meta") if meta.get("http-equiv")]
    expected = {}
    for tag in ("style", "script"):
        (element,) = page.root.iter(tag)
        digest = base64.b64encode(hashlib.sha256(element.text.encode()).digest()).decode()
        expected[tag] = f"{tag}-src 'sha256-{digest}'"
        assert not re.search(r"url\(|@import|https?:|fetch|XMLHttp|innerHTML|eval", element.text)
    parts = ["default-src 'none'", expected["style"], expected["script"], "base-uri 'none'", "form-action 'none'"]
    assert policy == "; ".join(parts)


def test_hostile_names_are_text():
    page = page_of(hostile())
    assert {element.tag for element in page.root.iter()} <= TAGS
    for table in (0, 1):  # the comparison, and its tails
        names = ["".join(line[0].itertext()) for line in rows_of(page, "batch 1, 1 thread, CPU", table)]
        names = [name for name in names if name not in (REFERENCE, "null")]
        assert names[: len(HOSTILE)] == [printable(name) for name in HOSTILE]
    assert "49" not in text_of(page.root.find(".//pre"))  # {{ 7 * 7 }} stays as it is
    assert "{{ 7 * 7 }}" in text_of(page.root.find(".//pre"))


def test_rows_are_those_of_the_report():
    rows = rows_of(page_of(report()), "batch 1, 1 thread, CPU")
    assert [[text_of(cell) for cell in line] for line in rows] == [
        ["onnxruntime-io_binding", "2.69 µs", "0.384", "0.382 to 0.386", "fastest", "372,000"],
        ["onnxruntime-run", "5.04 µs", "0.720", "0.716 to 0.724", "faster", "198,000"],
        ["torchscript", "6.27 µs", "0.895", "0.891 to 0.899", "faster", "160,000"],
        [REFERENCE, "7 µs", "1", "", "reference", "143,000"],
        ["null", "7.01 µs", "1.001", "0.996 to 1.006", "null", "143,000"],
        ["eager-no_grad", "7.08 µs", "1.011", "1.006 to 1.016", "inconclusive", "141,000"],
        ["eager-grad", "8.82 µs", "1.260", "1.254 to 1.266", "slower", "113,000"],
        ["pt2", "47.6 µs", "6.800", "6.766 to 6.834", "slower", "21,000"],
        ["floor", "28 ns", "", "", "no verdict", ""],
    ]
    values = [line[2].get("data-value") for line in rows]
    assert [float(value) for value in values if value] == [0.384, 0.72, 0.895, 1, 1.001, 1.011, 1.26, 6.8]


def test_cuda_has_the_clock_of_the_host_and_says_what_is_launch_bound():
    page = page_of(report(comparison([row(REFERENCE), row("cuda-graph", 0.5, launch_bound=True)], device="cuda")))
    graph, _ = rows_of(page, "batch 1, 1 thread, CUDA")
    assert [text_of(cell) for cell in graph][1:3] == ["3.5 µs", "5.25 µs"]
    assert text_of(graph[5]) == "fastest, launch-bound"


def test_a_wrong_row_is_struck_out_without_a_latency():
    bad = struck_out("onnxruntime-bad")
    page = page_of(report(comparison([*usual_rows(), bad])))
    (line,) = [line for line in rows_of(page, "batch 1, 1 thread, CPU") if text_of(line[0]) == bad["name"]]
    assert [cell.tag for cell in line[0]] == ["s"]
    assert [text_of(cell) for cell in line[1:]] == ["", "", "", f"wrong output: {bad['problem']}", ""]
    (alert,) = [part for part in page.root.iter("div") if part.get("class") == "alert"]
    assert bad["problem"] in text_of(alert)
    (drawn,) = [text for text in page.root.iter("text") if text.get("class") == "strike"]
    assert text_of(drawn) == bad["name"]
    assert [text_of(cell) for cell in rows_of(page, "Worst error and bit equality")[-1]] == [bad["name"], "", "wrong"]
    assert "alert" not in {part.get("class") for part in page_of(report()).root.iter("div")}


def test_the_table_of_equality_says_whose_file_was_timed():
    rows = {text_of(line[0]): text_of(line[1]) for line in rows_of(page_of(report()), "Worst error and bit equality")}
    assert (rows["pt2"], rows["onnxruntime-run"], rows[REFERENCE]) == (
        "rebuilt from the weights",
        "from the bundle",
        "",
    )


def test_the_table_of_equality_has_no_column_of_what_was_not_run():
    value = report(comparison(usual_rows()), comparison([skipped("cuda-graph", CUDA)], device="cuda"))
    for line in rows_of(page_of(value), "Worst error and bit equality"):
        assert len(line) == 3
        assert text_of(line[2]) != "not run"


def test_skipped_rows_stand_with_the_reason_and_nowhere_else():
    page = page_of(report(comparison([*usual_rows(), skipped("cuda-graph", CUDA)], device="cuda")))
    (markdown,) = page.root.iter("details")
    copied = set(markdown.iter())
    found = [own for own in page.root.iter() if own not in copied and own.text and "cuda-graph" in own.text]
    assert [(element.tag, text_of(element)) for element in found] == [("li", f"cuda: cuda-graph: skipped: {CUDA}")]


def test_the_self_check_is_told_and_a_failed_one_loudly():
    page = page_of(SAMPLES["self-check"])
    assert "Passed." in text_of(page.root)
    facts = facts_of(page)
    assert facts["95 % intervals that exclude 1 (expected: about 5 %)"] == "4.5 %"
    assert facts["a planted slowdown of 1 % was found in"] == "99 % of the runs"
    assert facts["error of the measured 3 % slowdown"] == "-0.2 %"
    assert facts["failures"] == "none"
    assert facts_of(page_of(SAMPLES["another self-check"]))["planted"] == "1% 1.0, 3% 1.0"
    assert "FAILED" in text_of(page_of(report(self_check={"passed": False, "failures": ["noise"]})).root)
    assert "--self-check" in text_of(page_of(report()).root)


def test_machine_settings_quality_and_command_are_told():
    page = page_of(report())
    facts = facts_of(page)
    assert facts["processor"] == "AMD EPYC"
    assert facts["versions"] == "torch 2.13.0+cpu, numpy 2.4.6"
    assert facts["clock resolution"] == duration(1e-9)
    assert facts["address layout randomised"] == "yes"
    assert facts["cuda"] == "none"
    assert facts["preemptions during the rounds"] == "3,405"
    assert facts["stolen by the host"] == "0.82 s"
    assert facts["rounds"] == "100"
    assert text_of(page.root.find(".//pre")) == "linreg bench -m 'my model'"


def test_tails_are_shown_only_where_there_are_enough_calls():
    few = row("few", 0.5, tails_s={"p50": 1e-6}, tail_calls=30)
    most = row("most", 0.6, tails_s={"p50": 1e-6, "p99.9": 3e-6, "p99": 2e-6})
    page = page_of(report(comparison([row(REFERENCE, tails_s={}), few, most])))
    tables = [table for table in page.root.iter("table") if "p99.9" in text_of(table)]
    assert len(tables) == 1
    assert [text_of(cell) for cell in tables[0].iter("th")][:4] == ["variant", "calls", "p50", "p99"]
    rows = [[text_of(cell) for cell in line] for line in tables[0].find("tbody")]
    assert rows == [["few", "30", "1 µs", "too few calls", "too few calls"], ["most", "7,000", "1 µs", "2 µs", "3 µs"]]
    assert "closed loop" in text_of(page.root)


def test_runtimes_without_python_are_told_with_their_proof_and_those_that_are_missing():
    row = {"version": "1.2", "batch": 1, "median_s": 2e-6, "rows_per_s": 5e5, "processes": []}
    ratio = {"estimate": 0.25, "low": 0.2, "high": 0.3}
    rows = [
        {**row, "name": "python", "proof": "python: 5 cases, bit-equal", "ratio": None},
        {**row, "name": "<b>c</b>", "proof": "c: 5 cases, worst error 0.5 of what is allowed", "ratio": ratio},
    ]
    runtimes = {"reference": "python", "missing": {"node": "there is no node"}, "rows": rows}
    page = to_page(parsed({**report(), "runtimes": runtimes}))
    assert "&lt;b&gt;c&lt;/b&gt;" in page
    assert "<b>c</b>" not in page
    assert "5 cases, worst error 0.5 of what is allowed" in page
    assert ">0.250</td>" in page
    assert ">0.200 to 0.300</td>" in page
    assert "node: skipped: there is no node" in page
    assert "Without Python" not in to_page(parsed(report()))
