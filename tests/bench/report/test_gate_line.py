"""The line of the gate: which row is the worst, and why a row beyond the limit may pass."""

from bench.analysis.statistics import Ratio
from bench.report.gate import Change, gate_line


def changed(name: str, estimate: float, low: float, high: float, *, batch: int = 1, slower: bool = False) -> Change:
    ratio = Ratio(estimate=estimate, low=low, high=high)
    return Change(device="cpu", threads=1, batch=batch, name=name, ratio=ratio, slower=slower)


def test_an_interval_that_includes_no_change_is_told():
    line = gate_line([changed("a", 1.01, 1.0, 1.02), changed("b", 1.05, 0.98, 1.12)], 0.03)
    assert line == ("gate: passed; the worst is b, +5.0 % of 3 % allowed; its interval includes 0 (-2.0 % to +12.0 %)")


def test_rows_that_are_all_faster_take_nothing_of_the_limit():
    line = gate_line([changed("a", 0.5, 0.49, 0.51), changed("b", 0.877, 0.87, 0.88, batch=64)], 0.03)
    assert line == "gate: passed; no row is slower; the nearest is b at batch 64, 12.3 % faster"


def test_several_batches_are_told_apart():
    line = gate_line([changed("a", 1.01, 1.0, 1.02), changed("a", 1.02, 1.01, 1.03, batch=64)], 0.025)
    assert line == "gate: passed; the worst is a at batch 64, +2.0 % of 2.5 % allowed"


def test_a_failure_names_a_row_that_failed_and_not_one_that_is_merely_unsure():
    unsure, slower = changed("unsure", 1.4, 0.9, float("inf")), changed("slow", 1.1, 1.05, 1.15, slower=True)
    assert gate_line([unsure, slower], 0.03) == (
        "gate: failed; the worst is slow, +10.0 % (+5.0 % to +15.0 %) of 3 % allowed; exceeded by 1 of 2"
    )
    assert gate_line([unsure], 0.03).endswith("(-10.0 % to ∞)")
