"""Render a report as an HTML fragment, for a notebook; text from files is escaped."""

from bench.report.findings import findings
from bench.report.report import Report
from bench.report.tables import report_tables, skipped
from linreg.escaping import html_table, html_text


def to_fragment(report: Report) -> str:
    """Render a report as an HTML fragment: what each comparison shows, every table, and what was skipped."""
    lines = [f"{finding.where}: {finding.headline}. {finding.text}" for finding in findings(report)]
    parts = [f"<p>{html_text(line)}</p>" for line in lines]
    for table in report_tables(report):
        parts.append(html_table(table.headings, table.rows, caption=table.title, struck=table.struck))
        parts += [f"<p>{html_text(line)}</p>" for line in table.below]
    parts += [f"<p>{html_text(line)}</p>" for line in skipped(report)]
    return "\n".join(parts)
