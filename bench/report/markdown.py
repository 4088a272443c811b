"""Render a report as Markdown, for a pull request; text from files is escaped."""

import re

from bench.report.environments import environment_versions
from bench.report.findings import smallest_difference
from bench.report.order import answers
from bench.report.report import Report
from bench.report.tables import Table, report_tables, skipped


def to_markdown(report: Report) -> str:
    """Render a report as Markdown: the answer, every table, what was left out, the machine and the command."""
    environment = report.environment
    there = environment_versions(report.environments)
    versions = "; ".join(f"{name}: {text}" for name, text in there.items())
    versions = versions or ", ".join(f"{name} {version}" for name, version in environment.versions.items())
    machine = markdown_text(f"{environment.cores} cores of {environment.processor}; {versions}")
    parts = ["\n".join(f"- {markdown_text(line)}" for line in found)] if (found := answers(report)) else []
    parts += [markdown_table(table) for table in report_tables(report)]
    parts += [
        markdown_text(line)
        for line in (smallest_difference(report), *skipped(report), report.quality.shortened)
        if line
    ]
    return "\n\n".join([*parts, f"{machine}; {_code(' '.join(report.command))}"]) + "\n"


def markdown_table(table: Table) -> str:
    """Render one table under its title, and the sentences about its rows below it."""
    rows = [[markdown_text(cell) for cell in row] for row in table.rows]
    for place in table.struck:
        rows[place][0] = f"~~{rows[place][0]}~~"
    lines = [table.headings, ["---"] * len(table.headings), *rows]
    text = f"**{markdown_text(table.title)}**\n\n" + "\n".join("| " + " | ".join(line) + " |" for line in lines)
    return "\n\n".join([text, *map(markdown_text, table.below)])


def markdown_text(text: str) -> str:
    """Escape text so that it cannot end a table cell, and is not read as HTML or emphasis."""
    for sign, shown in (("&", "&amp;"), ("<", "&lt;"), (">", "&gt;"), ("\\", "&#92;")):
        text = text.replace(sign, shown)
    text = re.sub(r"([|*`~\[\]])", r"\\\1", " ".join(text.splitlines()))
    return re.sub(r"(?<!\w)_|_(?!\w)", r"\\_", text)  # an underscore within a word is not emphasis


def _code(text: str) -> str:
    """Format text as code; the fence has one backtick more than the longest run of backticks in the text."""
    fence = "`" * (1 + max(map(len, re.findall("`+", text)), default=0))
    space = " " if "`" in text else ""
    return f"{fence}{space}{' '.join(text.splitlines())}{space}{fence}"
