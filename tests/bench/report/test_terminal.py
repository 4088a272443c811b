"""The tables fit a terminal of 80 columns: nothing is cut, and no word, name or figure is broken."""

import pytest
from rich.console import Console

from bench.report.report import Report
from bench.report.tables import report_tables
from bench.report.terminal import LONGEST_CELL, TerminalTable
from tests.bench_reports import SAMPLES, parsed
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


@pytest.mark.parametrize("name", REPORTS)
def test_at_80_columns_every_cell_stands_whole_in_its_row(name):
    for table in report_tables(REPORTS[name]):
        shown = lines(table, 80)
        assert max(map(len, shown)) <= 80
        for row in (table.headings, *table.rows):
            own = [line for line in shown if line.startswith(row[0])]
            for cell in row:
                pieces = [cell] if len(cell) <= LONGEST_CELL or cell == row[0] else cell.split()
                for piece in pieces:
                    where = own if len(pieces) == 1 else shown
                    assert any(piece in line for line in where), (row[0], piece)


def test_a_table_that_is_too_wide_goes_on_below_with_its_names_again():
    table = report_tables(REPORTS["penguins"])[0]
    shown = lines(table, 80)
    heads = [line for line in shown if line.startswith("variant")]
    assert [[part.strip() for part in line.split("┃")] for line in heads] == [
        ["variant", "median", "ratio", "95 % interval", "verdict"],
        ["variant", "error / allowed", "bit-equal"],
    ]
    assert sum(line.startswith("onnxruntime-run ") for line in shown) == 2


def test_a_table_that_fits_is_one_in_a_frame():
    shown = lines(report_tables(REPORTS["penguins"])[0], 140)
    assert sum("variant" in line for line in shown) == 1
    assert shown[1].startswith("┏")
    assert shown[-1].startswith("└")
