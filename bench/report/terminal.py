"""Print a table on the terminal without breaking a word; a narrow terminal gets fewer columns and no frame."""

import textwrap
from collections.abc import Iterator, Mapping, Sequence

from rich.box import SIMPLE_HEAD
from rich.cells import cell_len
from rich.console import Console, ConsoleOptions
from rich.table import Table as RichTable
from rich.text import Text

from bench.report.tables import Table
from linreg.escaping import printable

NARROW = 110
"""Terminals with fewer columns show the narrow form of a table that has one."""

LONGEST_CELL = 24
"""Cells longer than this are sentences, which may always be wrapped between words."""

RULE = 3
"""Width of a rule between two cells, with its padding."""

GAP = 2
"""Width between two cells of a table without a frame."""


class TerminalTable:
    """A table that fits the width of its console without breaking words or names."""

    def __init__(self, table: Table) -> None:
        self.table = table

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> Iterator[RichTable | Text]:
        """Yield the table in a frame if it fits; or else without one, in fewer columns or as many parts as needed."""
        width = options.max_width
        table = self.table.narrow if self.table.narrow and width < NARROW else self.table
        while table.narrow and _total(_widths(table, folded=True)) > width:
            table = table.narrow
        columns = range(len(table.headings))
        widths = _widths(table, folded=False)
        frame = RULE * len(widths) + 1
        framed = table is self.table and sum(widths) + frame <= width
        parts = [list(columns)]
        if not framed and _total(widths) > width:
            folded = _widths(table, folded=True)
            if _total(folded) <= width:
                widths = _stretched(folded, widths, width)
            else:
                parts = _parts(widths, width)
        for place, part in enumerate(parts):
            used = sum(widths) + frame if framed else _total([widths[column] for column in part])
            spare = max(width - used, 0)
            rooms = {column: widths[column] + spare for column in part}
            yield from ([Text()] if place else [])
            yield _drawn(table, rooms, framed=framed, titled=place == 0)
        for line in table.below:
            yield Text("\n".join(textwrap.wrap(printable(line), width, break_long_words=False, break_on_hyphens=False)))
        yield from ([] if framed else [Text()])


def _drawn(table: Table, rooms: Mapping[int, int], *, framed: bool, titled: bool) -> RichTable:
    """Draw some columns of a table; `rooms` maps each to the width at which its cells are wrapped."""
    title = Text(printable(table.title)) if titled else None
    drawn = RichTable(title=title, title_justify="left")
    if not framed:
        drawn = RichTable(
            title=title, title_justify="left", box=SIMPLE_HEAD, show_edge=False, pad_edge=False, padding=(0, 1, 0, 0)
        )
    for column in rooms:
        drawn.add_column(
            Text(table.headings[column]), justify="left" if column in table.left else "right", overflow="fold"
        )
    for place, row in enumerate(table.rows):
        first, *others = (Text(_wrapped(printable(row[column]), room)) for column, room in rooms.items())
        if place in table.struck:
            first.stylize("strike")
        if place in table.bold:
            first.stylize("bold")
        drawn.add_row(first, *others)
    return drawn


def _widths(table: Table, *, folded: bool) -> list[int]:
    return [_width(table, column, folded=folded) for column in range(len(table.headings))]


def _width(table: Table, column: int, *, folded: bool) -> int:
    """Return the smallest width of a column that breaks no word, no number from its unit, and no name.

    Folded, text in a column that is aligned left may go on in the next line between words; a name, which is in the
    first column, may not.
    """
    cells = [printable(row[column]) for row in table.rows]
    words = [table.headings[column]]
    for cell in cells:
        may_break = column > 0 and (len(cell) > LONGEST_CELL or (folded and column in table.left))
        words += cell.split() if may_break else [cell]
    return max(map(cell_len, words))


def _total(widths: Sequence[int]) -> int:
    return sum(widths) + GAP * (len(widths) - 1)


def _stretched(folded: list[int], whole: list[int], width: int) -> list[int]:
    """Widen folded columns, from left to right, towards their whole width as far as there is room."""
    widths = list(folded)
    for column, wanted in enumerate(whole):
        widths[column] += min(wanted - folded[column], width - _total(widths))
    return widths


def _wrapped(cell: str, room: int) -> str:
    """Wrap a cell here, since rich would cut a character off the last column of a frameless table."""
    if cell_len(cell) <= room:
        return cell
    return "\n".join(textwrap.wrap(cell, room, break_long_words=False, break_on_hyphens=False))


def _parts(widths: list[int], width: int) -> list[list[int]]:
    """Divide the columns into parts that fit `width`; every part begins with the first column."""
    parts = [[0]]
    for column in range(1, len(widths)):
        if _total([widths[own] for own in (*parts[-1], column)]) > width and len(parts[-1]) > 1:
            parts.append([0])
        parts[-1].append(column)
    return parts
