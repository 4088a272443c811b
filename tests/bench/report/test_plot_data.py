"""What the figures of a report show, and what its summary says."""

import numpy as np
import pytest

from bench.report.axes import Axis, round_top
from bench.report.findings import certainty, findings, noise_floor
from bench.report.plot_data import forest, latency_plots, start_parts
from tests.bench_reports import REFERENCE, SAMPLES, comparison, parsed, report, row, start, usual_rows


@pytest.mark.parametrize(
    ("estimates", "clipped"),
    [
        ([0.9, 1.1], []),
        ([1.0, 6.8], [6.8]),
        ([40.0, 80.0, 4000.0], [4000.0]),
        ([0.11, 1.2], []),
        ([0.001, 1.2], [0.001]),
    ],
)
def test_only_what_lies_far_from_the_others_is_clipped(estimates, clipped):
    rows = [row(REFERENCE), *(row(str(value), value) for value in estimates)]
    value = parsed(report(comparison(rows)))
    found = forest(value.comparisons[0])
    assert [own.estimate for own in found.rows if found.axis.beyond(own.estimate)] == clipped
    assert found.axis.low < 1 < found.axis.high


def test_an_open_interval_reaches_the_edges():
    found = forest(parsed(SAMPLES["open intervals"]).comparisons[0])
    assert found.band is None
    ends = {own.name: (found.axis.beyond(own.low), found.axis.beyond(own.high)) for own in found.rows}
    assert ends == {REFERENCE: (False, False), "null": (True, True), "open": (True, True), "above": (False, True)}


@pytest.mark.parametrize("low", np.geomspace(1e-9, 10, 12))
@pytest.mark.parametrize("span", [1.03, 1.2, 2, 7, 100, 1e6])
def test_axes_have_round_ticks_that_fit(low, span):
    middle = float(low * span**0.5)
    values = SAMPLES["usual"]
    rows = [[row(REFERENCE, median_s=float(seconds), rows_per_s=None)] for seconds in (low, middle, low * span)]
    comparisons = [comparison(own, 8**place) for place, own in enumerate(rows)]
    (plot,) = latency_plots(parsed({**values, "comparisons": comparisons}))
    assert 3 <= len(plot.seconds.ticks) <= 12
    assert list(plot.seconds.ticks) == sorted(set(plot.seconds.ticks))
    assert plot.seconds.low < low
    assert low * span < plot.seconds.high
    assert all(0 <= plot.seconds.place(tick) <= 1 for tick in plot.seconds.ticks)


def test_an_axis_is_logarithmic_and_ends_at_its_ends():
    axis = Axis(low=0.1, high=10, ticks=())
    assert [axis.place(value) for value in (0.0, 0.1, 1, 10, 99)] == pytest.approx([0, 0, 0.5, 1, 1])
    assert [round_top(value) for value in (0.0, 0.9, 1, 1.2, 0.0021)] == pytest.approx([1, 1, 1, 1.5, 0.003])
    assert start_parts(parsed(report(lifecycle=[start("x")])).lifecycle[0]) == (1.5, 0.05, 0.08, 0.0004, 0.00002)


def summary(rows, **changes):
    (finding,) = findings(parsed(report(comparison(rows), **changes)))
    return finding.headline, finding.text


def test_the_summary_names_the_fastest_and_its_peers():
    headline, text = summary(usual_rows())
    assert headline == "Fastest: onnxruntime-io_binding, 2.60×"
    assert text == (
        "onnxruntime-io_binding takes 0.384 (95 % interval 0.382 to 0.386) of the time of eager-inference_mode: "
        "2.69 µs per call against 7 µs."
    )
    _, text = summary([row(REFERENCE), row("a", 0.5), row("b", 0.501), row("c", 0.6)])
    assert text.endswith("It cannot be distinguished from b.")


def test_the_summary_claims_no_win_where_there_is_none():
    headline, text = summary([row(REFERENCE), row("null", 0.9), row("a", 1.2), row("b", 0.97, verdict="inconclusive")])
    assert headline == f"{REFERENCE} is not beaten"
    assert "The closest, b, takes 0.970 (95 % interval 0.965 to 0.975) of its time: inconclusive." in text
    assert summary([row(REFERENCE), row("null", 0.9)])[0] == "Nothing to compare"
    assert findings(parsed(SAMPLES["all wrong"])) == []


def test_the_summary_says_how_sure_it_is():
    assert "over 10 processes" in certainty(parsed(report()))
    assert "this process only" in certainty(parsed(SAMPLES["one process"]))
    noise = noise_floor(parsed(report(comparison([row(REFERENCE), row("null", 1.02)]))))
    assert "reaches 2.51 % from 1. No difference below 5.02 % is claimed" in noise
    quiet = {"estimate": 1.0, "low": 0.999, "high": 1.001}
    assert "below 1.00 %" in noise_floor(parsed(report(comparison([row(REFERENCE), row("null", ratio=quiet)]))))
    assert "not known" in noise_floor(parsed(SAMPLES["open intervals"]))
    assert "at batch 64, " in noise_floor(parsed(report(comparison(usual_rows()), comparison([row("null", 1.02)], 64))))
