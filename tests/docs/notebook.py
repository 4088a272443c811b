"""Executes the tutorial and compares its outputs with those stored in it."""

from pathlib import Path
from typing import Any

import nbformat
from nbclient import NotebookClient

from tests.docs.pages import ROOT, comparable

NOTEBOOK = ROOT / "docs" / "tutorial.ipynb"
Notebook = Any  # nbformat's NotebookNode has no types


def stored() -> Notebook:
    """The tutorial with the outputs that readers see."""
    return nbformat.read(NOTEBOOK, as_version=4)


def execute(folder: Path) -> Notebook:
    """The tutorial with new outputs, run in `folder`."""
    notebook = stored()
    NotebookClient(notebook, timeout=300, resources={"metadata": {"path": str(folder)}}).execute()
    return notebook


def outputs(notebook: Notebook) -> list[tuple[str, list[str]]]:
    """What each code cell printed and showed, in order: its kind and comparable lines; a picture has no lines."""
    found = []
    for number, cell in enumerate(notebook.cells):
        for output in cell.get("outputs", []):
            measured = "measured" in cell.metadata.get("tags", [])
            shown = output.get("data", {})
            texts = {kind: text for kind, text in shown.items() if kind.startswith("text/")} or {
                output.get("name", output.output_type): output.get("text", "")
            }
            if "image/png" in shown:
                texts = {"image/png": ""}
            found += [
                (f"cell {number}: {kind}", comparable(_in_any_order(text) if measured else text, measured=measured))
                for kind, text in sorted(texts.items())
            ]
    return found


def _in_any_order(text: str) -> str:
    """The lines of a measured output and the rows of its tables, sorted: their order depends on what was measured."""
    rows = text.replace("<tr>", "\n<tr>").replace("</tr>", "</tr>\n")
    return "\n".join(sorted(rows.splitlines(), key=lambda row: comparable(row, measured=True)))


def is_current(notebook: Notebook) -> bool:
    """Whether the outputs are those stored."""
    return outputs(notebook) == outputs(stored())


def write(notebook: Notebook) -> None:
    """Store the outputs, without execution times, which differ each time."""
    for cell in notebook.cells:
        cell.metadata.pop("execution", None)
    notebook.metadata = {"kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"}}
    nbformat.write(notebook, NOTEBOOK)
