"""How a fitted model is shown: its coefficients and how well it fits."""

import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Any

from linreg.cli.terminal import note, say, show_table
from linreg.config import CARD_FILE, MODEL_FILE

if TYPE_CHECKING:
    from linreg.card import Card
    from linreg.tables import LeftOut

MOST_SHOWN = 8
"""So many columns that were left out have a line of their own."""


def show_card(card: "Card", output: Path, *, following: bool = True) -> None:
    """Coefficients, the fit of each part, where the files are, and the command that may follow."""
    truth: dict[str, float] = {}
    if card.data["kind"] == "line":
        truth = {card.features[0]: card.data["line"]["weight"], "(bias)": card.data["line"]["bias"]}
    last = "true" if truth else "standard error"
    rows = []
    for entry in card.coefficients:
        error = entry["standard_error"]
        beside = f"{truth[entry['name']]:.9g}" if truth else ("" if error is None else f"{error:.4g}")
        rows.append([entry["name"], f"{entry['value']:.9g}", beside])
    title = f"{card.target} by {card.training['method']}, {card.architecture}, {card.dtype}"
    show_table(title, ["coefficient", "learned", last], rows)
    show_metrics(card.metrics)
    say(f"saved: {output / MODEL_FILE} and {output / CARD_FILE}")
    if following:
        say(f"next:  linreg export --format onnx -m {shlex.quote(str(output))}")


def show_metrics(metrics: dict[str, dict[str, Any]]) -> None:
    """The fit of each part."""
    rows = [
        [name, str(part["rows"]), "undefined" if part["r2"] is None else f"{part['r2']:.6f}"]
        + [f"{part[key]:.6g}" for key in ("rmse", "mae")]
        for name, part in metrics.items()
    ]
    show_table("fit", ["part", "rows", "R2", "RMSE", "MAE"], rows)


def show_left_out(left_out: "tuple[LeftOut, ...]") -> None:
    """Tell the reasons, a line each, and no more lines than can be read."""
    from linreg.column_names import listed, short
    from linreg.tables import NOT_ASKED_FOR

    unasked = [column.name for column in left_out if column.reason == NOT_ASKED_FOR]
    others = [column for column in left_out if column.reason != NOT_ASKED_FOR]
    for column in others[:MOST_SHOWN]:
        note(f"left out: {short(column.name)}: {column.reason}")
    if len(others) > MOST_SHOWN:
        note(f"left out: {listed(column.name for column in others[MOST_SHOWN:])}; the reasons: --json")
    if unasked:
        note(f"left out: {listed(unasked)}: {NOT_ASKED_FOR}")
