"""Parse the page of a report, strictly."""

import re
import xml.etree.ElementTree as ET
from html.parser import HTMLParser

from bench.report.page import to_page
from tests.bench_reports import (
    parsed,
)

VOID = {"meta", "br"}
TAGS = {
    *("html", "head", "meta", "title", "style", "script", "body", "header", "main", "section", "h1", "h2", "h3", "p"),
    *("div", "span", "s", "code", "pre", "ul", "li", "dl", "dt", "dd", "figure", "figcaption"),
    *("details", "summary"),
    *("table", "caption", "thead", "tbody", "tr", "th", "td"),
    *("svg", "desc", "g", "text", "line", "rect", "circle", "path"),
}


class Page(HTMLParser):
    """A tree of the page; anything that is not closed as it was opened is an error."""

    def __init__(self, text):
        super().__init__(convert_charrefs=True)
        self.text, self.builder, self.open, self.pictures = text, ET.TreeBuilder(), [], []
        self.starts = [0, *(place.end() for place in re.finditer("\n", text))]
        self.feed(text)
        self.close()
        assert not self.open
        self.root = self.builder.close()

    def handle_starttag(self, tag, attributes):
        assert len({name for name, _ in attributes}) == len(attributes)
        if tag == "svg" and "svg" not in self.open:
            self.svg_start = self.position()
        self.builder.start(tag, dict(attributes))
        if tag in VOID:
            self.builder.end(tag)
        else:
            self.open.append(tag)

    def handle_startendtag(self, tag, attributes):
        self.builder.start(tag, dict(attributes))
        self.builder.end(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag
        self.builder.end(tag)
        if tag == "svg" and "svg" not in self.open:
            self.pictures.append(self.text[self.svg_start : self.position() + len("</svg>")])

    def handle_data(self, data):
        if self.open:
            self.builder.data(data)

    def position(self):
        line, column = self.getpos()
        return self.starts[line - 1] + column


def page_of(values) -> Page:
    return Page(to_page(parsed(values)))


def text_of(element) -> str:
    return " ".join("".join(element.itertext()).split())


def rows_of(page, caption, place=0) -> list[list]:
    """The lines of a table; where several have that caption, of one of them."""
    tables = [table for table in page.root.iter("table") if text_of(table.find("caption")) == caption]
    return [list(line) for line in tables[place].find("tbody")]


def facts_of(page) -> dict[str, str]:
    return dict(zip(map(text_of, page.root.iter("dt")), map(text_of, page.root.iter("dd")), strict=True))
