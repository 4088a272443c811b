"""Show text from files as text: without control characters, and escaped in HTML."""

from collections.abc import Collection, Sequence


def printable(text: str) -> str:
    """Return `text` with control characters and direction marks escaped."""
    return "".join(sign if sign.isprintable() else repr(sign)[1:-1] for sign in text)


def html_text(text: str) -> str:
    """Return `text` escaped, so that HTML displays it literally."""
    from html import escape

    return escape(printable(text))


def text_table(headings: Sequence[str], rows: Sequence[Sequence[str]], *, left: int = 1) -> str:
    """Return a table as plain text, with columns two spaces apart.

    Args:
        headings: one heading per column.
        rows: lists of cells, one cell per heading.
        left: number of leading columns that are aligned left; the others are aligned right.
    """
    lines = [[printable(cell) for cell in row] for row in (headings, *rows)]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    return "\n".join(
        "  ".join(
            cell.ljust(width) if place < left else cell.rjust(width)
            for place, (cell, width) in enumerate(zip(line, widths, strict=True))
        ).rstrip()
        for line in lines
    )


def html_table(
    headings: Sequence[str], rows: Sequence[Sequence[str]], *, caption: str = "", struck: Collection[int] = ()
) -> str:
    """Render an HTML table; all text is escaped.

    Args:
        headings: one heading per column.
        rows: lists of cells, one cell per heading.
        caption: text above the table; empty for none.
        struck: indexes of the rows whose first cell is struck out.
    """
    head = "".join(f"<th>{html_text(heading)}</th>" for heading in headings)
    body = []
    for place, row in enumerate(rows):
        first, *others = map(html_text, row)
        cells = [f"<s>{first}</s>" if place in struck else first, *others]
        body.append("<tr>" + "".join(f"<td>{cell}</td>" for cell in cells) + "</tr>")
    title = f"<caption>{html_text(caption)}</caption>" if caption else ""
    return f"<table>{title}<thead><tr>{head}</tr></thead><tbody>{''.join(body)}</tbody></table>"
