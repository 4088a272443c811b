"""Report any exception of the user's code in one line, with its place in the user's file."""

import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType

from linreg.errors import ExportError, LinregError, TerminatedError, one_line

INTERRUPTIONS = (KeyboardInterrupt, GeneratorExit, TerminatedError)
"""Interruptions from outside, which pass through the user's code."""


@contextmanager
def users_code(what: str, *, file: Path | None = None, remedy: str = "") -> Iterator[None]:
    """Turn any exception of the user's code, including that of sys.exit, into an ExportError.

    Interruptions and linreg's own errors pass through.

    Args:
        what: what failed, which begins the message.
        file: the user's file; the message names the line of it that raised the error.
        remedy: the next step for the user, which ends the message.

    Raises:
        ExportError: the block raised an exception.
    """
    try:
        yield
    except (LinregError, *INTERRUPTIONS):
        raise
    except BaseException as error:
        end = f"; {remedy}" if remedy else ""
        raise ExportError(f"{what}: {described(error, file)}{end}") from error


def described(error: BaseException, file: Path | None = None) -> str:
    """Return the class and text of an error, the line of `file` that raised it, and which file beside it to rename."""
    kind, text = type(error).__name__, one_line(error)
    message = kind if text == kind else f"{kind}: {text}"
    if file is None or isinstance(error, SyntaxError):  # its text names the line
        return message
    lines = [frame.lineno for frame in traceback.extract_tb(error.__traceback__) if Path(frame.filename) == file]
    place = f" (line {lines[-1]} of {file.name})" if lines else ""
    return f"{message}{place}{_rename_hint(error, file)}"


def _rename_hint(error: BaseException, file: Path) -> str:
    """Return the next step if importing a file beside `file` found another module of that name; '' otherwise."""
    name = None
    if isinstance(error, ImportError):
        name = error.name
    elif isinstance(error, AttributeError) and isinstance(error.obj, ModuleType):
        name = error.obj.__name__
    top = (name or "").partition(".")[0]
    beside = file.parent / f"{top}.py"
    loaded = getattr(sys.modules.get(top), "__file__", None)
    if top and beside.is_file() and loaded is not None and Path(loaded).resolve() != beside.resolve():
        return f"; there is another module called {top}: rename {beside.name}"
    return ""
