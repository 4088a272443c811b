"""The Python environments to compare, given as `NAME=PYTHON`."""

import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from linreg.errors import LinregError

NAME = re.compile(r"[\w.-]{1,40}")
MOST = 8


@dataclass(frozen=True, kw_only=True)
class Interpreter:
    """The Python of an environment, such as `VENV/bin/python`, and the name of the environment in the report."""

    name: str
    python: Path


def parse_interpreter(text: str) -> Interpreter:
    """Parse `NAME=PYTHON`.

    Raises:
        LinregError: the text has another form, or there is no such program.
    """
    name, equals, path = text.partition("=")
    if not equals or not path or not NAME.fullmatch(name):
        raise LinregError(f"got {text!r}, expected NAME=PYTHON, such as old=venv/bin/python")
    python = Path(path).expanduser()
    if (inner := python / "bin" / "python").is_file():
        raise LinregError(f"{path} is a folder, expected the Python in it: {name}={inner}")
    if not python.is_file() or not os.access(python, os.X_OK):
        raise LinregError(f"{path} is not a program, expected the Python of an environment, such as venv/bin/python")
    return Interpreter(name=name, python=python.absolute())  # not resolved: the link is what makes it a venv


def check_interpreters(found: Sequence[Interpreter]) -> None:
    """Check that environments can be compared with each other.

    Raises:
        LinregError: there is only one, there are too many, or two have the same name.
    """
    if not 2 <= len(found) <= MOST:
        raise LinregError(
            f"--env: got {len(found)} environment{'s' if len(found) > 1 else ''}, expected 2 to {MOST}: "
            "--env old=venv/bin/python --env new=other/bin/python"
        )
    names = [entry.name for entry in found]
    if twice := [name for name in names if names.count(name) > 1]:
        raise LinregError(f"--env: {twice[0]} names two environments; give each its own name")
