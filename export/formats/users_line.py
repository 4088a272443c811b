"""Name the line of the user's code, or of the library that holds the module, at which torch.export gives up."""

import sys
import sysconfig
import traceback
from pathlib import Path

import torch

import export

OWN = Path(export.__file__).resolve().parent
SKIPPED = (Path(torch.__file__).resolve().parent, OWN, Path(sysconfig.get_path("stdlib")).resolve())
"""Folders whose code only carries out what a module's code asks for."""

MAX_CODE = 80


def users_line(error: BaseException) -> str:
    """Return the innermost line of a module's own code in the traceback, `nets.py, line 7, in forward: if ...:`.

    Only the file's name is given, not its folder; '' if no such line is known.
    """
    for frame in reversed(traceback.extract_tb(error.__traceback__)):
        file = Path(frame.filename)
        if file.is_file() and not _is_skipped(file.resolve()):
            code = " ".join((frame.line or "").split())
            return f"{file.name}, line {frame.lineno}, in {frame.name}: {code[:MAX_CODE]}"
    return ""


def _is_skipped(file: Path) -> bool:
    packages = Path(sysconfig.get_path("purelib")).resolve()
    if file.is_relative_to(packages):  # site-packages lies inside the standard library's folder
        return any(file.is_relative_to(folder) for folder in SKIPPED[:2])
    return any(file.is_relative_to(folder) for folder in SKIPPED) or file == Path(sys.argv[0]).resolve()
