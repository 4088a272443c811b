"""How much time a stage of few long steps has left, from its start."""

import pytest
from rich.console import Console
from rich.progress import Progress

from linreg.cli import terminal
from linreg.cli.terminal import Stages


@pytest.fixture
def clock(monkeypatch) -> list[float]:
    """A clock that tests set."""
    now = [1000.0]
    monkeypatch.setattr(terminal.time, "monotonic", lambda: now[0])
    return now


def left(display: Progress) -> str:
    (column,) = display.columns
    return column.render(display.tasks[0]).plain


def test_the_time_left_is_what_was_expected_until_a_step_says_more(clock):
    display = Progress(terminal._remaining_column(), console=Console(quiet=True))
    progress = Stages(display)
    progress.expect("timing", 10, 90.0)
    assert left(display) == "0:01:30"
    clock[0] += 30
    assert left(display) == "0:01:00"
    progress("timing", 1, 10)  # 30 s a step
    assert left(display) == "0:04:30"
    clock[0] += 20
    assert left(display) == "0:04:10"
    clock[0] += 10
    progress("timing", 2, 10)
    assert left(display) == "0:04:00"
    clock[0] += 10_000
    assert left(display) == "0:00:00"
    progress("another stage", 0, 3)
    assert left(display) == "-:--:--"


def test_without_a_terminal_nothing_happens():
    progress = Stages(None)
    progress.expect("timing", 10, 90.0)
    progress("timing", 1, 10)
    assert progress.elapsed_s == {}
