"""What `linreg bench` leaves for a workflow: a summary for GitHub, and a file of github-action-benchmark."""

import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from linreg.cli.terminal import note
from linreg.config import MAX_JSON_BYTES
from linreg.errors import LinregError

if TYPE_CHECKING:
    from bench.report.gate import Change
    from bench.report.report import Report

SUMMARY_FILE = "GITHUB_STEP_SUMMARY"


def check_workflow(benchmark_json: Path | None, *, github: bool, force: bool) -> None:
    """Check, before timing starts, that the files for a workflow can be written.

    Raises:
        LinregError: one cannot be written, or would replace a file of another kind.
    """
    if benchmark_json is not None:
        _check_benchmark_json(benchmark_json, force=force)
    if github:
        _append("")  # a blank line, which also keeps the report apart from the table of an earlier step


def write_summary(report: "Report", changes: "Sequence[Change]", lines: Sequence[str]) -> None:
    """Append a report, the changes of its ratios and the results of its gates to the summary of a GitHub workflow.

    Outside of a workflow, where `GITHUB_STEP_SUMMARY` is not set, only print a note.

    Raises:
        LinregError: the file cannot be written.
    """
    from bench.report.markdown import markdown_table, markdown_text, to_markdown
    from bench.report.tables import changes_table

    parts = [*(f"**{markdown_text(line)}**" for line in lines), to_markdown(report)]
    parts += [markdown_table(changes_table(changes))] if changes else []
    if not _append("\n\n".join(parts)):
        note(f"--github: {SUMMARY_FILE} is not set, so no summary was written")


def _append(text: str) -> bool:
    """Append text to the summary; return False outside of a workflow."""
    from linreg.files import append_line

    path = os.environ.get(SUMMARY_FILE)
    if path:
        append_line(Path(path), text, hint=f"check {SUMMARY_FILE}, or leave out --github")
    return bool(path)


def _check_benchmark_json(path: Path, *, force: bool) -> None:
    """Check, before timing starts, that the file can be written, and replaces none of another kind.

    Raises:
        LinregError: the folder cannot be written, or there is a file that is not of github-action-benchmark.
    """
    from linreg.files import read_bytes
    from linreg.folders import ensure_folder

    ensure_folder(path.parent, "--benchmark-json")
    if force or not path.exists():
        return
    try:
        entries = json.loads(read_bytes(path, limit=MAX_JSON_BYTES))
    except ValueError:
        entries = None
    if not isinstance(entries, list) or not all(isinstance(entry, dict) and "value" in entry for entry in entries):
        raise LinregError(f"{path}: already exists, and holds no benchmarks; choose another file, or use --force")


def write_benchmark_json(report: "Report", path: Path) -> None:
    """Write the ratios of a report for github-action-benchmark.

    Raises:
        LinregError: the file cannot be written.
    """
    from bench.report.benchmark_json import benchmark_entries
    from linreg.json_files import write_json

    write_json(path, benchmark_entries(report))
