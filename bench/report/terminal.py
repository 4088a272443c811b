"""Print a table on the terminal; if it is too wide, the rest continues below with the first column repeated."""

import textwrap
from collections.abc import Iterator, Mapping

from rich.cells import cell_len
from rich.console import Console, ConsoleOptions
from rich.table import Table as RichTable
from rich.text import Text

from bench.report.tables import Table
from linreg.escaping import printable

LONGEST_CELL = 24
"""Cells longer than this are sentences, which may be wrapped between words."""

RULE = 3
"""Width of a rule between two cells, with its padding."""


class TerminalTable:
    """A table that fits the width of its console without breaking words."""

    def __init__(self, table: Table) -> None:
        self.table = table

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> Iterator[RichTable | Text]:
        """Yield the table in a frame if it fits, or else in parts without a frame."""
        width, widths = options.max_width, [self._least_width(column) for column in range(len(self.table.headings))]
        framed = sum(widths) + RULE * len(widths) + 1 <= width
        for place, columns in enumerate([list(range(len(widths)))] if framed else _parts(widths, width)):
            part = RichTable(
                title=Text(printable(self.table.title)) if place == 0 else None,
                title_justify="left",
                show_edge=framed,
                pad_edge=framed,
            )
            for column in columns:
                part.add_column(
                    Text(self.table.headings[column]),
                    justify="left" if column in self.table.left else "right",
                    overflow="fold",
                )
            spare = width - sum(widths[column] + RULE for column in columns) - 1
            self._add_rows(part, {column: widths[column] + max(spare, 0) for column in columns})
            yield from ([Text()] if place else [])
            yield part

    def _least_width(self, column: int) -> int:
        """Return the smallest width of a column that breaks no word, and no number from its unit."""
        cells = [printable(row[column]) for row in self.table.rows]
        words = [word for cell in cells for word in (cell.split() if _is_sentence(column, cell) else [cell])]
        return max(map(cell_len, (self.table.headings[column], *words)))

    def _add_rows(self, part: RichTable, rooms: Mapping[int, int]) -> None:
        """Add every row to `part`; `rooms` maps each of its columns to the width at which sentences are wrapped."""
        for place, row in enumerate(self.table.rows):
            first, *others = (Text(_wrapped(column, printable(row[column]), room)) for column, room in rooms.items())
            if place in self.table.struck:
                first.stylize("strike")
            part.add_row(first, *others)


def _is_sentence(column: int, cell: str) -> bool:
    return column > 0 and len(cell) > LONGEST_CELL


def _wrapped(column: int, cell: str, room: int) -> str:
    """Wrap a sentence between words here, since rich would cut a character off the last column of a frameless table."""
    if not _is_sentence(column, cell):
        return cell
    return "\n".join(textwrap.wrap(cell, room, break_long_words=False, break_on_hyphens=False))


def _parts(widths: list[int], width: int) -> list[list[int]]:
    """Divide the columns into parts that fit `width`; every part begins with the first column."""
    parts = [[0]]
    for column in range(1, len(widths)):
        if sum(widths[own] + RULE for own in (*parts[-1], column)) - RULE > width and len(parts[-1]) > 1:
            parts.append([0])
        parts[-1].append(column)
    return parts
