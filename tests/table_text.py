"""Read back a table of the terminal or of a pull request. Oracles: rich's console, and a Markdown parser."""

from html.parser import HTMLParser

from markdown_it import MarkdownIt
from rich.console import Console

from bench.report import tables
from bench.report.tables import Table
from bench.report.terminal import TerminalTable
from tests.bench_reports import (
    HOSTILE,
    parsed,
)

NAMES = [
    *HOSTILE,
    "[bold]x",
    "[link=file:///etc/passwd]y[/link]",
    ":smile:",
    "\\[",
    "a [0, 0] b",
    "a|b\\|c\\",
    "*a* **b** `c` ~~d~~ _e_ ![f](g) [h](i)",
    "&amp;",
    "a\r\nb",
]
MARKUP = {"strong", "em", "s", "code", "a", "img", "script", "br", "h1", "ul"}


def rendered(table: Table, *, width: int = 400, **console_settings) -> list[str]:
    """The lines of a table, whose cells are wide enough for every text."""
    console = Console(width=width, emoji=False, highlight=False, **console_settings)
    with console.capture() as capture:
        console.print(TerminalTable(table))
    return capture.get().splitlines()


def cells(line: str) -> list[str]:
    return [cell.strip() for cell in line.strip("│┃").split("│" if "│" in line else "┃")]


def of(value, place: int = 0):
    return tables.comparison_table(parsed(value), parsed(value).comparisons[place])


class Page(HTMLParser):
    """The cells of a page's tables, and which elements it has."""

    def __init__(self, markdown: str) -> None:
        super().__init__()
        self.rows: list[list[str]] = []
        self.outside = ""
        self.elements: list[str] = []
        self.struck: list[str] = []
        self.feed(MarkdownIt("commonmark").enable(["table", "strikethrough"]).render(markdown))

    def handle_starttag(self, tag, attrs):
        self.elements.append(tag)
        if tag == "tr":
            self.rows.append([])
        if tag in ("td", "th"):
            self.rows[-1].append("")

    def handle_endtag(self, tag):
        assert tag in self.elements
        if tag in ("td", "th", "p"):
            self.elements.append(f"/{tag}")

    def handle_data(self, data):
        last = [tag for tag in self.elements if tag in ("td", "th", "/td", "/th", "p", "/p")][-1:]
        if last in (["td"], ["th"]):
            self.rows[-1][-1] += data
            if self.elements[-1] == "s":
                self.struck.append(data)
        else:
            self.outside += data


def flat(text: str) -> str:
    """As Markdown shows it: a line break is a space, and spaces at the ends are none."""
    return " ".join(text.splitlines()).strip()
