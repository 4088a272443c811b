"""A report as a fragment of HTML, for a notebook; text from files is escaped."""

from collections.abc import Sequence
from html import escape

from bench.report.findings import findings
from bench.report.plot_data import plain
from bench.report.report import Report
from bench.report.tables import Table, report_tables, skipped


def to_fragment(report: Report) -> str:
    """What each comparison shows, every table, and what was skipped."""
    lines = [f"{finding.where}: {finding.headline}. {finding.text}" for finding in findings(report)]
    parts = [f"<p>{_text(line)}</p>" for line in lines]
    parts += [_table(table) for table in report_tables(report)]
    parts += [f"<p>{_text(line)}</p>" for line in skipped(report)]
    return "\n".join(parts)


def _text(text: str) -> str:
    return escape(plain(text))


def _table(table: Table) -> str:
    head = "".join(f"<th>{_text(heading)}</th>" for heading in table.headings)
    body = [_row(row, struck=place in table.struck) for place, row in enumerate(table.rows)]
    caption = f"<caption>{_text(table.title)}</caption>"
    return f"<table>{caption}<thead><tr>{head}</tr></thead><tbody>{''.join(body)}</tbody></table>"


def _row(cells: Sequence[str], *, struck: bool) -> str:
    name, *others = map(_text, cells)
    shown = f"<s>{name}</s>" if struck else name
    return "<tr>" + "".join(f"<td>{cell}</td>" for cell in (shown, *others)) + "</tr>"
