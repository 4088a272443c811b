"""The last line of `linreg bench`: the command that is probably wanted next."""

import shlex
from collections.abc import Sequence
from pathlib import Path

from linreg.config import BenchSettings

LIMIT = "3%"


def next_command(
    words: Sequence[str], settings: BenchSettings, *, report: Path | None, against: bool, environments: bool
) -> str:
    """Return the command to suggest after a benchmark.

    Args:
        words: the command line, without the name of the program.
        settings: settings of the benchmark.
        report: the bench.json that was written; None if there is none.
        against: whether another bundle's artifact was timed.
        environments: whether environments were compared, whose report is not written unless `-o` names a folder.
    """
    command = ["linreg", *words]
    if settings.processes == 1:
        return f"{shlex.join(_without_processes(command))}   (intervals that hold beyond one process)"
    if environments and report is None:
        return f"{shlex.join(command)} -o FOLDER   (saves the report)"
    if "--fail-slower" in _names(words):
        return f"{shlex.join(_compared_with(command, report))}   (after the next change)"
    if against or environments or "--compare" in _names(words):
        return f"{shlex.join([*command, '--fail-slower', LIMIT])}   (exits with 4 if a row is slower)"
    if report is None:
        return f"{shlex.join(command)} -o FOLDER   (keeps the report)"
    gate = ["--compare", str(report), "--fail-slower", LIMIT]
    return f"{shlex.join([*command, *gate])}   (after a change)"


def _names(words: Sequence[str]) -> set[str]:
    return {word.partition("=")[0] for word in words}


def _compared_with(words: Sequence[str], report: Path | None) -> list[str]:
    """Replace the old report of `--compare`, in either spelling, if there is a new one."""
    if report is None:
        return list(words)
    before = ["", *words[:-1]]
    compared = [str(report) if last == "--compare" else word for last, word in zip(before, words, strict=True)]
    return [f"--compare={report}" if word.startswith("--compare=") else word for word in compared]


def _without_processes(words: Sequence[str]) -> list[str]:
    """Leave out `--processes 1`, in either spelling."""
    kept: list[str] = []
    is_value = False
    for word in words:
        if not is_value and word.partition("=")[0] != "--processes":
            kept.append(word)
        is_value = word == "--processes"
    return kept
