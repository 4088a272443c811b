"""The plots of a report: which files, what they show, and the same bytes each time."""

import hashlib
import json
import os
import struct
import subprocess
import sys
import xml.etree.ElementTree as ET
from itertools import pairwise

import numpy as np
import pytest
from matplotlib.colors import to_hex
from matplotlib.figure import Figure

from bench.report.plot_data import plain
from bench.report.plots import LONGEST_NAME, STYLES, draw_plots
from linreg.plots import drawn_here
from tests.bench_reports import (
    HOSTILE,
    REFERENCE,
    SAMPLES,
    comparison,
    parsed,
    report,
    row,
    skipped,
    struck_out,
    usual_rows,
)


@pytest.fixture
def figures(monkeypatch):
    """The matplotlib figures themselves, in the order in which they are drawn as SVG."""
    seen = []
    save = Figure.savefig

    def recording(figure, *arguments, **settings):
        save(figure, *arguments, **settings)
        if settings["format"] == "svg":
            seen.append(figure)

    monkeypatch.setattr(Figure, "savefig", recording)
    return seen


def size_of(png: bytes) -> tuple[int, int]:
    assert png[:8] == b"\x89PNG\r\n\x1a\n"
    assert png[-8:-4] == b"IEND"
    return struct.unpack(">II", png[16:24])


@pytest.mark.parametrize("name", SAMPLES)
def test_every_report_is_drawn_in_sound_files(name):
    plots = draw_plots(parsed(SAMPLES[name]))
    for path, data in plots.items():
        if path.endswith(".png"):
            width, height = size_of(data)
            assert width == 1200
            assert 300 <= height <= 1800
            assert drawn_here(data)
        else:
            root = ET.fromstring(data)
            assert root.tag == "{http://www.w3.org/2000/svg}svg"
            assert root.get("width") == "576pt"
            assert b"<dc:date>" not in data
            assert b"<script" not in data
            assert b"<image" not in data
    assert {path.rpartition(".")[0] + ".png" for path in plots} | {
        path.rpartition(".")[0] + ".svg" for path in plots
    } == set(plots)


def test_files_are_named_after_what_they_show():
    rows = [row(REFERENCE), row("a", 0.5)]
    value = report(
        comparison(rows, 1),
        comparison(rows, 64),
        comparison(rows, 1, threads=2),
        comparison(rows, 1, device="cuda"),
        comparison([skipped("a", "no device")], 64, device="cuda"),
        comparison(rows, 4096),
        comparison(rows, 4, threads=2),
    )
    found = draw_plots(parsed(value))
    assert [path for path in found if path.endswith(".svg")] == [
        "ratios-cpu-1thread-batch1.svg",
        "ratios-cpu-1thread-batch64.svg",
        "ratios-cpu-2threads-batch1.svg",
        "ratios-cuda-1thread-batch1.svg",
        "ratios-cpu-1thread-batch4096.svg",
        "ratios-cpu-2threads-batch4.svg",
        "latency-cpu-1thread.svg",
        "lifecycle.svg",
    ]


def test_the_same_report_has_the_same_bytes_in_another_process():
    values = report(comparison(usual_rows(1), 1), comparison(usual_rows(64), 64))
    program = (
        "import hashlib, json, sys; from bench.report.plots import draw_plots; from bench.report.report import Report\n"
        "plots = draw_plots(Report.from_json(sys.stdin.read()))\n"
        "print(json.dumps({path: hashlib.sha256(data).hexdigest() for path, data in plots.items()}))"
    )
    command = [sys.executable, "-c", program]
    environment = {**os.environ, "PYTHONHASHSEED": "7"}
    there = subprocess.run(command, input=json.dumps(values), text=True, capture_output=True, env=environment)
    assert there.returncode == 0, there.stderr
    here = {path: hashlib.sha256(data).hexdigest() for path, data in draw_plots(parsed(values)).items()}
    assert json.loads(there.stdout) == here


def test_ratios_are_drawn_with_the_fastest_at_the_top(figures):
    draw_plots(parsed(report(comparison([*usual_rows(), row("least", 0.004), struck_out("bad")]), lifecycle=[])))
    (axes,) = figures[0].axes
    names = [text.get_text() for text in axes.get_yticklabels()]
    assert names == [
        "least",
        "onnxruntime-io_binding",
        "onnxruntime-run",
        "torchscript",
        REFERENCE,
        "null",
        "eager-no_grad",
        "eager-grad",
        "pt2",
        "bad",
    ]
    bottom, top = axes.get_ylim()
    assert bottom > top  # the first row is at the top
    assert [text.get_text() for text in axes.texts] == [
        "0.004 faster",
        "0.384 faster",
        "0.720 faster",
        "0.895 faster",
        "reference",
        "1.001 null",
        "1.011 inconclusive",
        "1.260 slower",
        "6.800 slower",
        "wrong output",
    ]
    marks = {
        line.get_ydata()[0]: line
        for line in axes.lines
        if len(line.get_xdata()) == 1 and line.get_marker() not in ("None", None)
    }
    assert marks[3].get_xdata()[0] == 0.895
    assert (marks[3].get_color(), marks[3].get_marker()) == STYLES["faster"][:2]
    assert (marks[7].get_color(), marks[7].get_marker()) == STYLES["slower"][:2]
    assert marks[8].get_xdata()[0] == axes.get_xlim()[1]  # 6.8 is an arrow at the edge
    assert marks[0].get_xdata()[0] == axes.get_xlim()[0]
    assert 9 not in marks
    intervals = [line.get_xdata() for line in axes.lines if len(line.get_xdata()) == 2 and line.get_ydata()[0] == 3]
    np.testing.assert_allclose(intervals, [[0.895 * 0.995, 0.895 * 1.005]])
    (band,) = axes.patches
    assert (band.get_x(), band.get_x() + band.get_width()) == pytest.approx((1.001 * 0.995, 1.001 * 1.005))
    assert "shaded" in axes.get_xlabel()


def test_latencies_are_lines_from_the_slowest_to_the_fastest(figures):
    draw_plots(parsed(SAMPLES["three batches"]))
    latency = figures[3]
    (axes,) = latency.axes
    assert axes.get_xscale() == axes.get_yscale() == "log"
    names = [text.get_text() for text in latency.legends[0].get_texts()]
    assert set(names) == {own["name"] for own in usual_rows()} - {"null", "floor"}
    assert len(axes.lines) == len(names)
    assert all(one.get_ydata()[-1] >= other.get_ydata()[-1] for one, other in pairwise(axes.lines))
    styles = {(line.get_color(), line.get_marker(), line.get_linestyle()) for line in axes.lines}
    assert len(styles) == len(names)


def test_starts_are_stacked(figures):
    draw_plots(parsed(report()))
    whole, after = figures[1].axes
    assert [bar.get_width() for bar in whole.patches[::2]] == pytest.approx([1.5, 0.05, 0.08, 0.0004, 0.00002])
    assert [bar.get_x() for bar in whole.patches[::2]] == pytest.approx([0, 1.5, 1.55, 1.63, 1.6304])
    assert [bar.get_x() for bar in after.patches[::2]] == pytest.approx([0, 0.05, 0.13, 0.1304])
    assert [text.get_text() for text in figures[1].legends[0].get_texts()][:2] == ["import", "load"]
    assert len({to_hex(bar.get_facecolor()) for bar in whole.patches}) == 5


def test_any_name_is_text_inside_the_picture(figures):
    draw_plots(parsed(SAMPLES["hostile"]))
    shown = [plain(name, LONGEST_NAME) for name in HOSTILE]
    ratios, _, _, latency, starts = figures
    assert [text.get_text() for text in ratios.axes[0].get_yticklabels() if text.get_text() not in (REFERENCE, "null")][
        : len(shown)
    ] == shown
    assert {text.get_text() for text in latency.legends[0].get_texts()} == {REFERENCE, *shown}
    assert [text.get_text() for text in starts.axes[0].get_yticklabels()] == shown
    for figure in figures:
        right, top = figure.bbox.width, figure.bbox.height
        texts = [text for axes in figure.axes for text in (*axes.get_yticklabels(), *axes.texts, axes._left_title)]
        texts += [text for legend in figure.legends for text in legend.get_texts()]
        for text in texts:
            extent = text.get_window_extent()
            assert -1 <= extent.x0 <= extent.x1 <= right + 1, text.get_text()
            assert -1 <= extent.y0 <= extent.y1 <= top + 1, text.get_text()
            assert not text.get_parse_math() or "$" not in text.get_text()
