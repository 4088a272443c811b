"""Which row of a comparison is the fastest, and what the benchmark answers in its first lines."""

import pytest

from bench.report.order import answers, by_ratio, fastest
from bench.report.tables import comparison_table
from tests.bench_reports import (
    REFERENCE,
    SAMPLES,
    comparison,
    floor,
    parsed,
    report,
    row,
    skipped,
    struck_out,
)


def made(*rows, **changes):
    return parsed(report(comparison(list(rows)), **changes))


def test_rows_are_sorted_by_ratio_and_the_copy_follows_the_reference():
    found = made(
        row(REFERENCE),
        row("null", 0.97),
        row("slow", 3.0),
        struck_out("wrong"),
        floor(),
        skipped("absent", "no device"),
        row("fast", 0.4),
        row("near", 0.99),
    )
    names = [entry.name for entry in by_ratio(found.comparisons[0])]
    assert names == ["fast", "near", REFERENCE, "null", "slow", "floor", "wrong"]


def test_the_fastest_row_is_one_that_is_shown_to_be_faster():
    found = made(row(REFERENCE), row("lucky", 0.5, verdict="inconclusive"), row("second", 0.9), row("first", 0.8))
    best = fastest(found.comparisons[0])
    assert (best.name, best.ratio.estimate, best.peers) == ("first", 0.8, ())


def test_with_several_references_each_row_follows_its_own_and_none_is_the_fastest():
    """Environments: a ratio is to the same row in the first environment, and not between rows."""
    found = made(row("old: a"), row("new: a", 0.9), row("old: b"), row("new: b", 0.8), struck_out("new: c"))
    (compared,) = found.comparisons
    assert [entry.name for entry in by_ratio(compared)] == ["old: a", "new: a", "old: b", "new: b", "new: c"]
    assert fastest(compared) is None
    table = comparison_table(found, compared)
    assert [cells[2] for cells in table.rows] == ["1", "0.900", "1", "0.800", ""]
    assert [cells[4] for cells in table.rows[:4]] == ["", "faster", "", "faster"]


def test_rows_that_cannot_be_distinguished_from_the_fastest_are_named():
    found = made(row(REFERENCE), row("b", 0.803), row("a", 0.8), row("c", 0.9))
    assert fastest(found.comparisons[0]).peers == ("b",)
    (line,) = answers(found)
    assert line == f"batch 1: a takes 0.800 of the time of {REFERENCE} (0.796 to 0.804); b may be as fast"
    many = made(row(REFERENCE), *(row(name, 0.8) for name in "abcd"))
    assert answers(many)[0].endswith("; 3 others may be as fast")


@pytest.mark.parametrize("name", ["nothing faster", "all alike", "open intervals", "all very slow"])
def test_a_reference_that_nothing_beats_is_the_answer(name):
    found = parsed(SAMPLES[name])
    assert fastest(found.comparisons[0]) is None
    assert answers(found) == [f"batch 1: nothing is shown to be faster than {REFERENCE}"]


@pytest.mark.parametrize("name", ["reference alone", "all wrong", "skipped only"])
def test_without_a_judged_row_there_is_no_answer(name):
    assert answers(parsed(SAMPLES[name])) == []


def test_each_comparison_has_its_answer_and_says_what_it_is_of():
    assert [line.partition(":")[0] for line in answers(parsed(SAMPLES["usual"]))] == ["batch 1", "batch 4096"]
    lines = answers(parsed(SAMPLES["two devices"]))
    assert len(lines) == 12
    assert lines[5].startswith("batch 1, threads 2, CPU: onnxruntime-io_binding takes 0.384 ")
    assert lines[-1].startswith("batch 64, threads 1, CUDA: cuda-graph takes 0.110 ")
