"""What people see: results on stdout, notes and progress on stderr, text from files never taken for markup."""

import json
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from rich.console import Console, RenderableType

WIDE = 140
"""Columns where the output is no terminal: a table in a log is not cut."""


def clean(text: str) -> str:
    """`text` with control characters and direction marks shown instead of obeyed."""
    return "".join(sign if sign.isprintable() else repr(sign)[1:-1] for sign in text)


def say(text: str = "") -> None:
    """A line of the result, on stdout."""
    typer.echo(clean(text))


def note(text: str) -> None:
    """A line about the work, on stderr."""
    typer.echo(clean(text), err=True)


def print_json(value: object) -> None:
    """One JSON object on stdout."""
    typer.echo(json.dumps(value, indent=1, ensure_ascii=False, allow_nan=False))


def show(renderable: "RenderableType") -> None:
    """A table on stdout."""
    _console(stderr=False).print(renderable)


def show_table(title: str, columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """A table on stdout: the first column to the left, the others to the right."""
    from rich.table import Table
    from rich.text import Text

    table = Table(title=Text(clean(title)), title_justify="left")
    for place, name in enumerate(columns):
        table.add_column(Text(clean(name)), justify="left" if place == 0 else "right", overflow="fold")
    for row in rows:
        table.add_row(*(Text(clean(cell)) for cell in row))
    show(table)


@contextmanager
def progress(label: str, total: int) -> Iterator[Callable[[int], None]]:
    """A bar on stderr while work is done; nothing where stderr is no terminal. Yields `done(count)`."""
    if not sys.stderr.isatty():
        yield lambda _count: None
        return
    from rich.progress import Progress

    with Progress(console=_console(stderr=True), transient=True) as bar:
        task = bar.add_task(label, total=total)
        yield lambda count: bar.update(task, completed=count)


def _console(*, stderr: bool) -> "Console":
    from rich.console import Console

    stream = sys.stderr if stderr else sys.stdout
    return Console(stderr=stderr, width=None if stream.isatty() else WIDE, highlight=False, emoji=False)
