"""`linreg inspect`: what is in a file, read and never run."""

import json
from dataclasses import asdict
from itertools import islice
from pathlib import Path
from typing import Annotated, Any

import typer

from linreg.commands.options import Json
from linreg.commands.terminal import print_json, say, show_table

NAME = "inspect"
SUMMARY = "Show what is in a model file, without running it."

LONGEST = 200
"""Characters of a value that are shown."""

MOST = 200
"""Rows of a table that are shown."""


def run(
    file: Annotated[Path, typer.Argument(help="ONNX, TorchScript, .pt2, .c or .pth file.")],
    as_json: Json = False,
) -> None:
    """Show inputs, outputs, shapes, opset, IR version, size, metadata and operators; for a .pth its keys and shapes.

    The file's contents decide what it is. It is read, and never loaded into a runtime or unpickled with code.
    """
    from export.inspection import inspect_file

    found = inspect_file(file)
    if as_json:
        print_json({"file": str(file), **asdict(found)})
        return
    facts = {"kind": found.kind, "bytes": found.bytes, "sha256": found.sha256} | found.facts
    show_table(str(file), ["fact", "value"], _pairs(facts), left=2)
    for title, entries in (("inputs", found.inputs), ("outputs", found.outputs), ("parameters", found.parameters)):
        if entries:
            rows = [[str(entry["name"]), str(entry["dtype"]), _shape(entry["shape"])] for entry in entries[:MOST]]
            show_table(_title(title, len(entries)), ["name", "dtype", "shape"], rows, left=3)
    if found.operators:
        show_table(_title("operators", len(found.operators)), ["operator", "count"], _pairs(found.operators))
    if found.metadata:
        show_table(_title("metadata", len(found.metadata)), ["key", "value"], _pairs(found.metadata), left=2)
    if not found.inputs and found.kind != "state_dict":
        say("inputs: the file does not say")


def _title(what: str, count: int) -> str:
    return what if count <= MOST else f"{what}: the first {MOST} of {count}; --json has more"


def _pairs(values: dict[str, Any]) -> list[list[str]]:
    return [[name, _text(value)] for name, value in islice(values.items(), MOST)]


def _text(value: Any) -> str:
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return text if len(text) <= LONGEST else text[: LONGEST - 3] + "..."


def _shape(sizes: list[Any]) -> str:
    return _text(f"({', '.join(str(size) for size in sizes)})")
