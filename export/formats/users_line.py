"""Say at which line of a module's code torch.export gives up, and what may be done about it."""

import re
import sysconfig
import traceback
from pathlib import Path

import torch

import export

PACKAGES = Path(torch.__file__).resolve().parent.parent
SKIPPED = (Path(export.__file__).resolve().parent, *(PACKAGES / name for name in ("torch", "sympy", "mpmath")))
"""Folders whose code only carries out what a module's code asks for."""

STDLIB = Path(sysconfig.get_path("stdlib")).resolve()
MAX_CODE = 80
CHECK = re.compile(r"^\s*\d+\. (torch\._check\(.*\))\s*$", re.MULTILINE)
DATA_DEPENDENT = "data-dependent"
ADVICE = "use torch.where or torch.cond there, or keep that step outside the module"


def place_and_advice(error: BaseException) -> str:
    """Return the end of a message on an error of torch.export, which begins with `; `; '' if nothing is known."""
    text, line = str(error), users_line(error)
    parts = [f"at {line}"] if line else []
    if checks := CHECK.findall(text):
        parts.append(f"torch suggests {' or '.join(checks[:2])} before it")
    elif DATA_DEPENDENT in text:
        parts.append(ADVICE)
    return "".join(f"; {part}" for part in parts)


def users_line(error: BaseException) -> str:
    """Return the innermost line of a module's own code in the traceback: `nets.py, line 7, in forward: if ...:`.

    A library such as torchvision counts as a module's own code. The name of the file is given without its folder; '' if
    no such line is known.
    """
    for frame in reversed(traceback.extract_tb(error.__traceback__)):
        file = Path(frame.filename).resolve()
        if file.is_file() and not _is_skipped(file):
            code = " ".join((frame.line or "").split())
            return f"{file.name}, line {frame.lineno}, in {frame.name}: {code[:MAX_CODE]}"
    return ""


def _is_skipped(file: Path) -> bool:
    in_library = file.is_relative_to(STDLIB) and not {"site-packages", "dist-packages"} & set(file.parts)
    return in_library or any(file.is_relative_to(folder) for folder in SKIPPED)
