"""The figures of the page put every variant where it belongs."""

import re
import xml.etree.ElementTree as ET
from itertools import pairwise

import pytest

from bench.report.plot_data import Sign, forest, start_parts
from tests.bench_reports import (
    REFERENCE,
    SAMPLES,
    parsed,
    report,
    start,
    usual_rows,
)
from tests.report_pages import page_of, rows_of, text_of


def test_every_variant_is_in_every_figure():
    page = page_of(SAMPLES["three batches"])
    captions = ["".join(svg.find("title").itertext()) for svg in page.root.iter("svg") if svg.get("role") == "img"]
    assert captions == [
        "Ratios at batch 1, 1 thread, CPU",
        "Ratios at batch 64, 1 thread, CPU",
        "Ratios at batch 4096, 1 thread, CPU",
        "Time per call against batch size, 1 thread, CPU",
        "Until the third call, with the import of the library",
        "Until the third call, after the import of the library",
    ]
    ratios, _, _, latency, starts, _ = [svg for svg in page.root.iter("svg") if svg.get("role") == "img"]
    assert all(f"{own['name']}: " in text_of(ratios.find("desc")) for own in usual_rows() if own["answers"])
    timed = {own["name"] for own in usual_rows()} - {"null", "floor"}
    assert {text_of(group.find("title")) for group in latency.iter("g")} == timed
    assert {text_of(group.find("title")) for group in starts.iter("g")} == {REFERENCE, "torchscript"}
    for name in ("self-check", "usual"):  # one batch, and two: no line
        assert "latency" not in {part.get("id") for part in page_of(SAMPLES[name]).root.iter("h2")}


def test_the_figure_puts_each_ratio_where_it_belongs():
    page = page_of(report())
    picture = next(svg for svg in page.root.iter("svg") if svg.get("role") == "img")
    groups = {text_of(group.find("title")).split(":")[0]: group for group in picture.iter("g")}
    places = {}
    for name, group in groups.items():
        marks = [part for part in group.iter("svg") if part.get("class") != "clip"]
        places[name] = [float(part.get("x").rstrip("%")) for part in marks]
    order = [
        "onnxruntime-io_binding",
        "onnxruntime-run",
        "torchscript",
        REFERENCE,
        "null",
        "eager-no_grad",
        "eager-grad",
    ]
    ordered = [places[name] for name in order]
    assert all(one < other for one, other in pairwise(ordered))
    assert places["pt2"] == [100]  # an arrow at the right edge: 6.8 would press the others together
    assert "floor" not in places
    axis = forest(parsed(report()).comparisons[0]).axis
    left = next(part for part in groups["eager-grad"].iter("line") if part.get("class") == "interval").get("x1")
    assert float(left.rstrip("%")) == pytest.approx(3 + 94 * axis.place(1.26 * 0.995), abs=0.01)


def test_the_null_band_is_the_interval_of_the_null_row():
    values = report()
    found = forest(parsed(values).comparisons[0])
    assert found.band == (1.001 * 0.995, 1.001 * 1.005)
    page = page_of(values)
    (band,) = [part for part in page.root.iter("svg") if part.get("x") and part[0].get("class") == "band"]
    assert float(band.get("x").rstrip("%")) == pytest.approx(3 + 94 * found.axis.place(found.band[0]), abs=0.01)
    width = 94 * (found.axis.place(found.band[1]) - found.axis.place(found.band[0]))
    assert float(band.get("width").rstrip("%")) == pytest.approx(width, abs=0.01)


def test_the_start_is_told_in_figures_as_well():
    page = page_of(report(lifecycle=[start("a", break_even_calls="never"), start("b", calls_until_steady=None)]))
    rows = [[text_of(cell) for cell in line] for line in rows_of(page, "Medians of the samples")]
    shared = ["1.5 s", "50 ms", "80 ms", "400 µs", "20 µs"]
    assert rows == [
        ["a", *shared, "9 calls", "210 MiB", "never", "3.5 KiB", "3"],
        ["b", *shared, "not yet", "210 MiB", "67,816 calls", "3.5 KiB", "3"],
    ]
    top = next(svg for svg in page.root.iter("svg") if "with the import" in text_of(svg))
    widths = [float(bar.get("width").rstrip("%")) for bar in next(top.iter("g")).iter("rect")]
    assert widths == pytest.approx(
        [94 * part / 2 for part in start_parts(parsed(report(lifecycle=[start("a")])).lifecycle[0])], abs=0.001
    )


def test_every_sign_has_a_shape_and_a_color_of_its_own():
    page = page_of(report())
    (legend,) = [part for part in page.root.iter("ul") if part.get("aria-label") == "Signs"]
    shapes = {text_of(part): ET.tostring(part[0][0]) for part in legend}
    assert len(set(shapes.values())) == len(shapes)
    assert set(Sign) - {Sign.WRONG} < set(shapes)  # a wrong row has words instead
    style = page.root.find(".//style").text
    for theme in ("", "prefers-color-scheme: dark"):
        colors = dict(re.findall(r"--([a-z]+): (#[0-9a-f]{6});", style[style.index(theme) :].split("}")[0]))
        assert len({colors[sign] for sign in ("faster", "slower", "equivalent", "inconclusive")}) == 4
