"""What people see: results on stdout, notes and progress on stderr, text from files never taken for markup."""

import json
import sys
import time
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
    _write(clean(text) + "\n")


def say_lines(text: str) -> None:
    """Several lines of the result, on stdout."""
    _write("".join(f"{clean(line)}\n" for line in text.splitlines()))


def note(text: str) -> None:
    """A line about the work, on stderr."""
    typer.echo(clean(text), err=True)


def say_waiting(holder: str) -> None:
    """Say on stderr that another command is waited for."""
    note(f"waiting for {holder}")


def print_json(value: object) -> None:
    """One JSON object on stdout; in ASCII, which every terminal and pipe takes, and which no name in it can leave."""
    _write(json.dumps(value, indent=1, allow_nan=False) + "\n")


def print_csv(data: bytes) -> None:
    """CSV on stdout: the very bytes in a file or a pipe, control characters shown on a terminal."""
    if sys.stdout.isatty():
        _write("\n".join(clean(line) for line in data.decode().split("\n")))
    else:
        write_bytes(data)


def write_bytes(data: bytes) -> None:
    """All of `data` on stdout: an unbuffered stream (PYTHONUNBUFFERED) may take only a part of it at a time."""
    sys.stdout.flush()
    rest = memoryview(data)
    while rest:
        rest = rest[sys.stdout.buffer.write(rest) :]
    sys.stdout.buffer.flush()


def show(renderable: "RenderableType") -> None:
    """A table on stdout."""
    console = _console(stderr=False)
    with console.capture() as capture:
        console.print(renderable)
    _write(capture.get())


def show_table(title: str, columns: Sequence[str], rows: Sequence[Sequence[str]], *, left: int = 1) -> None:
    """A table on stdout: the first `left` columns to the left, the others to the right."""
    from rich.table import Table
    from rich.text import Text

    table = Table(title=Text(clean(title)), title_justify="left")
    for place, name in enumerate(columns):
        table.add_column(Text(clean(name)), justify="left" if place < left else "right", overflow="fold")
    for row in rows:
        table.add_row(*(Text(clean(cell)) for cell in row))
    show(table)


@contextmanager
def stages() -> Iterator[Callable[[str, int, int], None]]:
    """Show on stderr which stage of a long command is running, and at the end how long each stage took.

    Nothing is shown unless stderr is a terminal. Once the block ends without an error, one line remains:
    `capture 1.2 s, onnx 0.4 s`.

    Yields:
        `progress(stage, done, total)`: `done` of `total` steps of `stage` are complete. A new stage name ends the
        previous stage; a name that returns adds to the time it had. It takes about a microsecond between redraws.
    """
    if not sys.stderr.isatty():
        yield lambda _stage, _done, _total: None
        return
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    elapsed_s: dict[str, float] = {}
    columns = (TextColumn("{task.description}", markup=False), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=_console(stderr=True), transient=True) as display:
        task = display.add_task("")
        current, start_s = "", time.monotonic()

        def progress(stage: str, done: int, total: int) -> None:
            nonlocal current, start_s
            if stage != current:
                now_s = time.monotonic()
                if current:
                    elapsed_s[current] = elapsed_s.get(current, 0.0) + now_s - start_s
                current, start_s = stage, now_s
                display.reset(task, description=clean(stage))
            display.update(task, completed=done, total=total)

        yield progress
        progress("", 0, 1)
    if elapsed_s:
        note(", ".join(f"{stage} {seconds:.1f} s" for stage, seconds in elapsed_s.items()))


@contextmanager
def progress(label: str, total: int) -> Iterator[Callable[[int], None]]:
    """`stages` for work with a single stage. Yields `done(count)`."""
    with stages() as show:
        yield lambda count: show(label, count, total)


def _write(text: str) -> None:
    write_bytes(text.encode(sys.stdout.encoding or "utf-8", "backslashreplace"))


def _console(*, stderr: bool) -> "Console":
    from rich.console import Console

    stream = sys.stderr if stderr else sys.stdout
    return Console(stderr=stderr, width=None if stream.isatty() else WIDE, highlight=False, emoji=False)
