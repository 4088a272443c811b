"""`linreg inspect`: show the contents of a model file without running it."""

import json
import shlex
from dataclasses import asdict
from itertools import islice
from pathlib import Path
from typing import Annotated, Any

import typer

from linreg.cli.file_kinds import RECORDS, is_table, kind_of
from linreg.cli.inspect_bundle import show_bundle
from linreg.cli.options import Json
from linreg.cli.terminal import print_json, say, show_table
from linreg.errors import ModelError

NAME = "inspect"
SUMMARY = "Show the contents of a model file or of a module's bundle, without running it."
EXAMPLES = ("linreg inspect penguins/model.onnx", "linreg inspect net --json")

LONGEST = 200
"""Characters shown of a value."""

MOST = 200
"""Rows shown of a table."""

INSPECTED = (".onnx", ".torchscript", ".pt2", ".c", ".mjs", ".sql", ".pth")


def run(
    file: Annotated[
        Path, typer.Argument(help="ONNX, TorchScript, .pt2, .c, .mjs, .sql or .pth file, or the bundle of a module.")
    ],
    as_json: Json = False,
) -> None:
    """Show inputs, outputs, opset, IR version, metadata and operators of a model, or keys and shapes of a .pth file.

    The format is detected from the contents. The file is never loaded into a runtime, and no code in it is run.
    """
    from export.inspection.inspect import inspect_file

    if file.is_dir() and show_bundle(file, as_json=as_json):
        return
    _check_file(file)
    try:
        found = inspect_file(file)
    except ModelError as error:
        raise ModelError(f"{error}{_hint(file)}") from None
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
        say("inputs: not recorded in the file")


def _title(what: str, count: int) -> str:
    return what if count <= MOST else f"{what}: the first {MOST} of {count}; --json has more"


def _pairs(values: dict[str, Any]) -> list[list[str]]:
    return [[name, _text(value)] for name, value in islice(values.items(), MOST)]


def _check_file(file: Path) -> None:
    """Check that the path is not a folder.

    Raises:
        ModelError: the path is a folder; the message names the files in it that can be inspected.
    """
    if not file.is_dir():
        return
    inside = [entry for entry in sorted(file.iterdir()) if entry.is_file() and entry.suffix in INSPECTED]
    names = ", ".join(shlex.quote(str(entry)) for entry in inside[:8])
    hint = f"name one in it: {names}" if inside else f"it has no file with the suffix {', '.join(INSPECTED)}"
    raise ModelError(f"{file}: is a folder, expected a file; {hint}")


def _hint(file: Path) -> str:
    """Return a hint on what to use instead for a file that cannot be inspected."""
    quoted = shlex.quote(str(file))
    if is_table(file):
        return f"; it is a table: linreg train {quoted} --target COLUMN"
    if file.name in RECORDS:
        return f"; it is {kind_of(file)}, a text file for any editor; expected one of {', '.join(INSPECTED)}"
    return ""


def _text(value: Any) -> str:
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return text if len(text) <= LONGEST else text[: LONGEST - 3] + "..."


def _shape(sizes: list[Any]) -> str:
    return _text(f"({', '.join(str(size) for size in sizes)})")
