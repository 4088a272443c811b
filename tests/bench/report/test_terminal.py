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
from tests.table_text import cells

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


@pytest.mark.parametrize("width", [80, 100, 120])
@pytest.mark.parametrize("name", REPORTS)
def test_no_word_name_or_figure_is_broken(name, width):
    for wide in report_tables(REPORTS[name]):
        table = wide.narrow if wide.narrow and width < NARROW else wide
        shown = lines(wide, width)
        assert max(map(len, shown)) <= width
        assert all(any(line.strip() in own for own in shown) for line in table.below)
        for texts in (table.headings, *table.rows):
            own = [line for line in shown if line.lstrip("│┃ ").startswith(texts[0].split("-")[0])]
            for column, cell in enumerate(texts):
                is_figure = column not in table.left and len(cell) <= LONGEST_CELL
                pieces = [cell] if is_figure else re.findall(r"[^\s-]+-?", cell)
                for piece in pieces:
                    where = own if len(pieces) == 1 else shown
                    assert any(piece in line for line in where), (texts[0], piece)


@pytest.mark.parametrize("name", REPORTS)
def test_at_80_columns_each_comparison_is_one_table(name):
    """A row with the longest names and verdicts still has all of its columns side by side."""
    for table in report_tables(REPORTS[name]):
        if table.headings == HEADINGS:
            (heads,) = [line for line in lines(table, 80) if line.startswith("variant")]
            assert heads.split() == ["variant", "median", "ratio", "95", "%", "interval", "verdict", "outputs"]


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
    _, _, heads, _, *rows, _, reason = lines(table, NARROW - 1)
    assert [cells(line)[-1] for line in (heads, *rows)] == ["outputs", "within tolerance", "identical", "", "wrong"]
    assert reason == "bad: output (0, 0) is nan, expected 1 within 0.1"


def test_the_fastest_row_is_bold():
    measured = REPORTS["penguins"]
    console = Console(width=120, force_terminal=True, color_system="standard", highlight=False)
    with console.capture() as capture:
        console.print(TerminalTable(comparison_table(measured, measured.comparisons[0])))
    bold = [line for line in capture.get().splitlines() if "\x1b[1m" in line and "variant" not in line]
    assert len(bold) == 1
    assert "\x1b[1monnxruntime-io_binding" in bold[0]
    assert "fastest" in bold[0]
