"""Show a fitted model: its coefficients, and how well it fits."""

import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Any

from linreg.cli.terminal import note, say, say_lines
from linreg.config import CARD_FILE, MODEL_FILE

if TYPE_CHECKING:
    from linreg.card import Card
    from linreg.reading.choice import LeftOut

MOST_SHOWN = 10
"""Columns that were left out and are named; the others are counted."""


def show_card(card: "Card", output: Path, *, following: bool = True) -> None:
    """Show the summary of a model, the paths of its files, and a command to run next."""
    from linreg.coefficients import coefficients_of
    from linreg.summary import summary_of

    say_lines(str(summary_of(card, coefficients_of(card))))
    say()
    say(f"saved: {output / MODEL_FILE} and {output / CARD_FILE}")
    if following:
        say(f"next:  linreg export --format onnx -m {shlex.quote(str(output))}")


def show_metrics(metrics: dict[str, dict[str, Any]]) -> None:
    """Show the goodness of fit of each part, in the same form as the summary of `linreg train`."""
    from linreg.summary import metrics_table

    say_lines(metrics_table(metrics))


def show_left_out(left_out: "tuple[LeftOut, ...]") -> None:
    """Print which columns were left out, and why.

    The first `MOST_SHOWN` have one line each; the others are counted.
    """
    from linreg.reading.choice import NOT_ASKED_FOR
    from linreg.reading.column_names import listed, short

    unasked = [column.name for column in left_out if column.reason == NOT_ASKED_FOR]
    others = [column for column in left_out if column.reason != NOT_ASKED_FOR]
    for column in others[:MOST_SHOWN]:
        note(f"left out: {short(column.name)}: {column.reason}")
    if len(others) > MOST_SHOWN:
        note(f"left out: and {len(others) - MOST_SHOWN:,} more; --json lists them all")
    if unasked:
        note(f"ignored columns: {listed(unasked, MOST_SHOWN)} (not in --features)")
