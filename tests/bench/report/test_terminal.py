"""The tables fit a terminal of 80 columns: nothing is cut, and no word, name or figure is broken."""

import re

import pytest
from rich.console import Console

from bench.report.report import Report
from bench.report.tables import HEADINGS, comparison_table, lifecycle_table, report_tables
from bench.report.terminal import LONGEST_CELL, NARROW, TerminalTable
from tests.bench_reports import REFERENCE as REFERENCE_ROW
from tests.bench_reports import SAMPLES, comparison, floor, parsed, report, row, struck_out
from tests.conftest import ROOT

REFERENCE = ROOT / "artifacts" / "reference"
REPORTS = {
    **{name: Report.read(REFERENCE / name / "bench.json") for name in ("line", "penguins")},
    **{name: parsed(SAMPLES[name]) for name in ("wrong", "two devices", "self-check")},
}


def lines(table, width: int) -> list[str]:
    console = Console(width=width, highlight=False)
    with console.capture() as capture:
        console.print(TerminalTable(table))
    return capture.get().splitlines()


def form(table, shown):
    """The form of a table that is shown: the widest of those whose last heading is there."""
    forms = [table]
    while forms[-1].narrow:
        forms.append(forms[-1].narrow)
    heads = next(line for line in shown if line.lstrip("┃ ").startswith(table.headings[0]))
    return next((own for own in forms if own.headings[-1] in heads), forms[-1])


@pytest.mark.parametrize("width", [80, 100, 120])
@pytest.mark.parametrize("name", REPORTS)
def test_no_word_name_or_figure_is_broken(name, width):
    for wide in report_tables(REPORTS[name]):
        shown = lines(wide, width)
        table = form(wide, shown)
        assert max(map(len, shown)) <= width
        assert all(line in " ".join(shown) for line in table.below)
        for texts in (table.headings, *table.rows):
            own = [line for line in shown if line.lstrip("│┃ ").startswith(texts[0])]
            for column, cell in enumerate(texts):
                is_whole = column == 0 or (column not in table.left and len(cell) <= LONGEST_CELL)
                pieces = [cell] if is_whole else cell.split()
                for piece in pieces:
                    where = own if len(pieces) == 1 else shown
                    assert any(piece in line for line in where), (texts[0], piece)


@pytest.mark.parametrize("name", REPORTS)
def test_at_80_columns_each_comparison_is_one_table(name):
    """A row with the longest names and verdicts still has all of its columns side by side."""
    for table in report_tables(REPORTS[name]):
        if table.headings == HEADINGS:
            (heads,) = [line for line in lines(table, 80) if line.lstrip("┃ ").startswith("variant")]
            assert heads.replace("┃", " ").split()[:7] == [
                "variant",
                "median",
                "ratio",
                "95",
                "%",
                "interval",
                "verdict",
            ]


def test_a_table_that_is_too_wide_goes_on_below_with_its_names_again():
    table = lifecycle_table(REPORTS["penguins"])
    shown = lines(table, 80)
    heads = [re.split(r"\s{2,}", line.strip()) for line in shown if line.startswith("variant")]
    assert heads == [
        ["variant", "import", "load", "1st call", "2nd", "3rd", "steady after"],
        ["variant", "memory", "break-even"],
    ]
    assert sum(line.startswith("onnxruntime-run ") for line in shown) == 2


@pytest.mark.parametrize("width", [NARROW, 140])
def test_a_table_that_fits_is_one_in_a_frame(width):
    shown = lines(report_tables(REPORTS["penguins"])[0], width)
    assert sum("variant" in line for line in shown) == 1
    assert "error / allowed ┃ bit-equal" in shown[2]
    assert shown[1].startswith("┏")
    assert shown[-1].startswith("└")


def test_a_narrow_terminal_has_one_column_for_the_outputs():
    rows = [row(REFERENCE_ROW), row("near", 0.5, bytes_equal=False), floor(), struck_out("bad")]
    made = parsed(report(comparison(rows)))
    table = comparison_table(made, made.comparisons[0])
    _, heads, _, *rows, reason, _ = lines(table, NARROW - 1)
    at = heads.index("outputs")
    assert [line[at:].strip() for line in (heads, *rows)] == [
        "outputs",
        "within tolerance",
        "identical",
        "",
        "wrong",
    ]
    assert reason == "bad: output (0, 0) is nan, expected 1 within 0.1"


@pytest.mark.parametrize(
    "name",
    [
        "eager-inference_mode-per-call",
        "old: onnxruntime-io_binding",
        "a-fairly-long-env: onnxruntime-io_binding",
        "my_own_row_with_a_long_name",
        "onnxruntime-io_binding-of-a-function-that-somebody-else-named-so",
    ],
)
def test_a_name_is_in_one_line_and_a_sentence_replaces_the_outputs(name):
    rows = [row(REFERENCE_ROW), row(name, 1.012, bytes_equal=False, median_s=123.4e-6), struck_out("old: bad")]
    made = parsed(report(comparison(rows)))
    shown = lines(comparison_table(made, made.comparisons[0]), 80)
    assert max(map(len, shown)) <= 80
    assert any(line.lstrip("│ ").startswith(f"{name} ") for line in shown)
    told = " ".join(shown)
    if "  outputs" not in told:
        assert f"outputs: within tolerance: {name}; wrong: old: bad; the others identical" in told


def test_outputs_that_are_all_identical_are_told_in_two_words():
    made = parsed(report(comparison([row(REFERENCE_ROW), row("eager-inference_mode-per-call", 1.012)])))
    assert "outputs: all identical" in lines(comparison_table(made, made.comparisons[0]), 80)


def test_the_fastest_row_is_bold():
    measured = REPORTS["penguins"]
    console = Console(width=120, force_terminal=True, color_system="standard", highlight=False)
    with console.capture() as capture:
        console.print(TerminalTable(comparison_table(measured, measured.comparisons[0])))
    bold = [line for line in capture.get().splitlines() if "\x1b[1m" in line and "variant" not in line]
    assert len(bold) == 1
    assert "\x1b[1monnxruntime-io_binding" in bold[0]
    assert "fastest" in bold[0]
