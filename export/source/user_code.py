"""Report whatever the user's code raises in one line, with its place in their file."""

import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from linreg.errors import ExportError, LinregError, TerminatedError, one_line

INTERRUPTIONS = (KeyboardInterrupt, GeneratorExit, TerminatedError)
"""Interruptions from outside, which pass through the user's code."""


@contextmanager
def users_code(what: str, *, file: Path | None = None, remedy: str = "") -> Iterator[None]:
    """Turn whatever the code inside raises into an ExportError, including sys.exit.

    Args:
        what: what failed, the beginning of the message.
        file: a file whose line is named if the error comes from it.
        remedy: the next step, the end of the message.

    Raises:
        ExportError: the code inside raises.
    """
    try:
        yield
    except (LinregError, *INTERRUPTIONS):
        raise
    except BaseException as error:
        end = f"; {remedy}" if remedy else ""
        raise ExportError(f"{what}: {told(error, file)}{end}") from error


def told(error: BaseException, file: Path | None = None) -> str:
    """The class and text of an error, and the last line of `file` that it came through."""
    kind, text = type(error).__name__, one_line(error)
    message = kind if text == kind else f"{kind}: {text}"
    if file is None or isinstance(error, SyntaxError):  # its text names the line
        return message
    lines = [frame.lineno for frame in traceback.extract_tb(error.__traceback__) if Path(frame.filename) == file]
    return f"{message} (line {lines[-1]} of {file.name})" if lines else message
