"""Terminal output: results on stdout, notes and progress on stderr; text from files is never interpreted as markup."""

import json
import re
import shutil
import sys
import textwrap
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Literal

import typer

from linreg.escaping import printable

if TYPE_CHECKING:
    from rich.console import Console, RenderableType
    from rich.progress import Progress, TimeRemainingColumn

WIDE = 140
"""Table width if the output is not a terminal, so that logs are not cut."""

BAR_WIDTH = 40
BORDER = 3
"""Width between two columns of a table, in characters."""

SHORTEST_WORD = 6
"""Words are not shortened further: `abc...`."""

HASH = 40
"""Words of at least this length, such as a hash or a path, are not shortened: people copy them."""

UNIT = re.compile(r"(?<=\d) (?=(?:%|[nµm]?s)(?!\w))")
"""The space between a number and its unit."""


def say(text: str = "") -> None:
    """Print a line of the result on stdout."""
    _write(printable(text) + "\n")


def say_lines(text: str) -> None:
    """Print several lines of the result on stdout."""
    _write("".join(f"{printable(line)}\n" for line in text.splitlines()))


def say_wrapped(text: str) -> None:
    """Print a sentence of the result on stdout; on a terminal, long lines are wrapped between words.

    A number stays in one line with its unit.
    """
    if not sys.stdout.isatty():
        say(text)
        return
    width = shutil.get_terminal_size().columns
    joined = UNIT.sub("\u00a0", printable(text))
    lines = textwrap.wrap(joined, width, subsequent_indent="  ", break_on_hyphens=False)
    _write("".join(f"{line}\n" for line in lines).replace("\u00a0", " "))


def note(text: str) -> None:
    """Print a note on stderr."""
    typer.echo(printable(text), err=True)


def say_waiting(holder: str) -> None:
    """Print on stderr which command this one is waiting for."""
    note(f"waiting for {holder}")


def print_json(value: object) -> None:
    """Print one JSON object on stdout. Non-ASCII characters are escaped, so the output works in every locale."""
    _write(json.dumps(value, indent=1, allow_nan=False) + "\n")


def print_csv(data: bytes) -> None:
    """Print CSV on stdout.

    A file or a pipe gets it unchanged; on a terminal, control characters are escaped.
    """
    if sys.stdout.isatty():
        _write("\n".join(printable(line) for line in data.decode().split("\n")))
    else:
        write_bytes(data)


def write_bytes(data: bytes) -> None:
    """Write all of `data` to stdout; an unbuffered stream (PYTHONUNBUFFERED) may accept only a part at a time."""
    sys.stdout.flush()
    rest = memoryview(data)
    while rest:
        rest = rest[sys.stdout.buffer.write(rest) :]
    sys.stdout.buffer.flush()


def show(renderable: "RenderableType") -> None:
    """Print a rich renderable on stdout."""
    console = _console(stderr=False)
    with console.capture() as capture:
        console.print(renderable)
    _write(capture.get())


def show_table(title: str, columns: Sequence[str], rows: Sequence[Sequence[str]], *, left: int = 1) -> None:
    """Print a table on stdout that fits the terminal.

    A table that is too wide loses its outer frame, then cells wrap between words, then longer words are shortened.

    Args:
        title: line above the table.
        columns: headings.
        rows: cells, whose text is never interpreted as markup.
        left: number of leading columns that are aligned left; the others are aligned right.
    """
    from rich.table import Table
    from rich.text import Text

    cells = [[printable(cell) for cell in row] for row in (columns, *rows)]
    available = _console(stderr=False).width
    with_frame = BORDER * len(columns) + 1
    framed = sum(_column_widths(cells, available)) + with_frame <= available
    widths = _column_widths(cells, available - (with_frame if framed else BORDER * (len(columns) - 1)))
    table = Table(title=Text(printable(title)), title_justify="left", show_edge=framed, pad_edge=framed)
    for place in range(len(columns)):
        justify: Literal["left", "right"] = "left" if place < left else "right"
        table.add_column(
            Text(_shortened(cells[0][place], widths[place])), justify=justify, width=widths[place], overflow="fold"
        )
    for row in cells[1:]:
        table.add_row(*(Text(_shortened(cell, width)) for cell, width in zip(row, widths, strict=True)))
    show(table)


def _column_widths(cells: Sequence[Sequence[str]], available: int) -> list[int]:
    """Choose column widths that fit in `available`, by wrapping lines first and shortening words only then."""
    from rich.cells import cell_len

    columns = list(zip(*cells, strict=True))
    widths = [min(max(map(cell_len, column)), available) for column in columns]
    words = [max(cell_len(word) for cell in column for word in (cell.split() or [""])) for column in columns]
    while sum(widths) > available and max(widths) > SHORTEST_WORD:
        wrappable = [place for place, width in enumerate(widths) if width > words[place]]
        widths[max(wrappable or range(len(widths)), key=widths.__getitem__)] -= 1
    return widths


def _shortened(cell: str, width: int) -> str:
    """Return `cell` with words longer than `width` cut.

    A hash or a path is kept whole, and breaks at the column's edge.
    """
    if all(len(word) <= width for word in cell.split()):
        return cell
    words = [word if len(word) <= width or len(word) >= HASH else f"{word[: width - 3]}..." for word in cell.split()]
    return " ".join(words)


class Stages:
    """Shows which stage of a long command is running; nothing without a display.

    Call it with a stage, how many of its steps are complete, and their total, or None if that is not known. A new stage
    name ends the previous stage; a repeated name adds to its earlier time. A call takes about a microsecond between
    redraws.
    """

    def __init__(self, display: "Progress | None") -> None:
        self._display = display
        self._task = None if display is None else display.add_task("", total=None, end_s=None, counts="")
        self._stage, self._start_s = "", time.monotonic()
        self._end_s: float | None = None
        self.elapsed_s: dict[str, float] = {}

    def __call__(self, stage: str, done: int, total: int | None, *, counts: str | None = None) -> None:
        """Show that `done` of `total` steps of a stage are complete, or `counts` in place of these numbers."""
        if self._display is None or self._task is None:
            return
        if stage != self._stage:
            self._begin(stage)
        elif self._end_s is not None and done and total is not None:
            self._end_s = self._start_s + (time.monotonic() - self._start_s) / done * total
        counts = counts or f"{done}/{'?' if total is None else total}"
        self._display.update(self._task, completed=done, total=total, end_s=self._end_s, counts=counts)

    def expect(self, stage: str, total: int, duration_s: float) -> None:
        """Begin a stage of few long steps, and show what is left of its expected duration from the start."""
        self(stage, 0, total)
        self._end_s = time.monotonic() + duration_s
        self(stage, 0, total)

    def _begin(self, stage: str) -> None:
        assert self._display is not None and self._task is not None
        now_s = time.monotonic()
        if self._stage:
            self.elapsed_s[self._stage] = self.elapsed_s.get(self._stage, 0.0) + now_s - self._start_s
        self._stage, self._start_s, self._end_s = stage, now_s, None
        self._display.reset(self._task, description=printable(stage))


@contextmanager
def stages() -> Iterator[Stages]:
    """Show on stderr which stage of a long command is running and how long it will take, and at the end what each took.

    Nothing is shown unless stderr is a terminal. Once the block ends without an error, one line remains:
    `capture 1.2 s, onnx 0.4 s`.
    """
    if not sys.stderr.isatty():
        yield Stages(None)
        return
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn
    from rich.table import Column

    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(bar_width=None, table_column=Column(max_width=BAR_WIDTH)),
        TextColumn("{task.fields[counts]}", markup=False, style="progress.download"),
        TimeElapsedColumn(),
        _remaining_column(),
    )
    with Progress(*columns, console=_console(stderr=True), transient=True) as display:
        progress = Stages(display)
        yield progress
        progress("", 0, 1)
    if progress.elapsed_s:
        note(", ".join(f"{stage} {seconds:.1f} s" for stage, seconds in progress.elapsed_s.items()))


def _remaining_column() -> "TimeRemainingColumn":
    """Return a column with the time left: what `Stages.expect` expected, or else rich's own estimate."""
    from rich.progress import Task, TimeRemainingColumn
    from rich.text import Text

    class Remaining(TimeRemainingColumn):
        def render(self, task: Task) -> Text:
            end_s = task.fields["end_s"]
            if end_s is None:
                return super().render(task)
            minutes, seconds = divmod(max(round(end_s - time.monotonic()), 0), 60)
            return Text(f"{minutes // 60}:{minutes % 60:02}:{seconds:02}", style="progress.remaining")

    return Remaining()


def _write(text: str) -> None:
    write_bytes(text.encode(sys.stdout.encoding or "utf-8", "backslashreplace"))


def _console(*, stderr: bool) -> "Console":
    from rich.console import Console

    stream = sys.stderr if stderr else sys.stdout
    return Console(stderr=stderr, width=None if stream.isatty() else WIDE, highlight=False, emoji=False)
