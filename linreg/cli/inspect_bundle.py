"""Show the bundle of a user's own module: its inputs and axes, and what was proved about its files."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from linreg.cli.terminal import print_json, say, show_table

if TYPE_CHECKING:
    from export.inspection.bundle import InspectedBundle

MOST = 200
"""Rows shown of a table."""

SHOWN = 8
"""Cases or names shown in a line; --json has all."""


def show_bundle(folder: Path, *, as_json: bool) -> bool:
    """Show a folder if it is the bundle of a module, and return whether it is.

    Raises:
        ModelError: its manifest or its card is damaged.
        MismatchError: the card differs from the manifest.
    """
    from export.inspection.bundle import inspect_bundle

    found = inspect_bundle(folder)
    if found is None:
        return False
    if as_json:
        print_json({"file": str(folder), **found.to_json()})
    else:
        _show(folder, found)
    return True


def _show(folder: Path, found: "InspectedBundle") -> None:
    card = found.card
    facts = [
        ["kind", "bundle of a module"],
        ["code", "not known" if card.code is None else f"{card.code} (as its exporter said; nothing of it was run)"],
        ["state sha256", card.state_sha256],
    ]
    show_table(str(folder), ["fact", "value"], facts, left=2)
    inputs = [[e.name, e.argument, e.dtype, _shape(e.shape), _limits(e.least, e.below)] for e in card.inputs[:MOST]]
    show_table("inputs", ["name", "argument", "dtype", "shape", "values"], inputs, left=5)
    if card.axes:
        show_table("axes", ["name", "sizes"], [[axis.name, axis.sizes] for axis in card.axes[:MOST]], left=2)
    show_table(
        "outputs", ["name", "shape"], [[entry.name, _shape(entry.shape)] for entry in card.outputs[:MOST]], left=2
    )
    files = [
        [
            entry["name"],
            _text(entry["cases"]),
            "" if entry["worst_error"] is None else f"{entry['worst_error']:.3f}",
            "" if entry["weights_total"] is None else f"{_text(entry['weights_found'])} of {entry['weights_total']}",
        ]
        for entry in found.files[:MOST]
    ]
    show_table("files", ["file", "cases", "error / allowed", "weights"], files)
    for entry in found.files[:MOST]:
        for key, what in (("not_tried", "not tried"), ("unproved", "weights not proved")):
            if entry[key]:
                say(f"{entry['name']}: {what}: {_listed(entry[key])}")


def _text(value: Any) -> str:
    return "" if value is None else str(value)


def _shape(sizes: tuple[int | str | None, ...]) -> str:
    return f"({', '.join('?' if size is None else str(size) for size in sizes)})"


def _limits(least: int | None, below: int | None) -> str:
    return "" if least is None or below is None else f"{least} to {below - 1}"


def _listed(texts: list[str]) -> str:
    more = f" and {len(texts) - SHOWN} more" if len(texts) > SHOWN else ""
    return f"{', '.join(texts[:SHOWN])}{more}"
