"""End a command on a signal: by an exception in Python code, and by the watcher in native code."""

import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import ClassVar, NoReturn

from linreg.errors import LinregError, TerminatedError
from linreg.watcher import ENDINGS, WHOLE, start_watching, stop_watching, tell

COMPILED = ("numpy", "onnx", "onnxruntime", "pyarrow", "scipy", "torch")
"""Packages whose C++ code calls Python while they are imported; an exception in it would abort the process."""

INTERRUPTED = 130
"""Exit code of an interrupted command: 128 and the number of SIGINT."""


class EndedError(LinregError):
    """A signal has ended the command, and more or less is to be said than that every file is whole."""

    exit_code: ClassVar[int] = INTERRUPTED


class Ending:
    """Holds the signal that was received, even if the exception that it raised was swallowed.

    Attributes:
        number: number of the first signal, or None.
        is_held: whether the exception is delayed: outside `interrupting`, and inside `signals_held`.
    """

    number: int | None = None
    is_held: bool = True

    def handle(self, number: int, _frame: object) -> None:
        """Interrupt the command once; further signals do not interrupt its clean-up."""
        if self.number is not None:
            return
        self.number = number
        sys.unraisablehook = lambda _: None  # a destructor or an import may swallow it and print a traceback
        if not self.is_held:
            self.interrupt(number)

    @contextmanager
    def interrupting(self) -> Iterator[None]:
        """Let a signal interrupt the block, also one that was received before."""
        self.is_held = False
        if self.number is not None:
            self.interrupt(self.number)
        try:
            yield
        finally:
            self.is_held = True

    def interrupt(self, number: int) -> NoReturn:
        """Raise the exception of a signal, or exit where no exception may be raised."""
        if any(map(_is_loading, COMPILED)):
            tell(ended_by(number))
            os._exit(128 + number)
        raise KeyboardInterrupt if number == signal.SIGINT else TerminatedError(128 + number)


_ending: Ending | None = None
"""The one that handles the signals of the command; None in a program of the user's."""


@contextmanager
def signals_held() -> Iterator[None]:
    """Delay the exception of a signal until the block has ended, so that the caller knows what the block acquired."""
    ending = _ending or Ending()
    before, outer = ending.number, ending.is_held
    ending.is_held = True
    try:
        yield
    finally:
        ending.is_held = outer
        if before is None and ending.number is not None and not outer:
            ending.interrupt(ending.number)


@contextmanager
def ending_by_signal(*, watched: bool) -> Iterator[Ending]:
    """Note SIGINT, SIGTERM and SIGHUP, except those that are ignored, as under nohup; see `Ending.interrupting`.

    Args:
        watched: whether to fork a process that makes sure that the command ends.
    """
    global _ending
    ending, hook = Ending(), sys.unraisablehook
    handlers = {number: signal.getsignal(number) for number in ENDINGS}
    ours = [number for number in ENDINGS if handlers[number] in (signal.SIG_DFL, signal.default_int_handler)]
    for number in ours:
        signal.signal(number, ending.handle)
    watcher = start_watching(ours) if watched else None
    _ending = ending
    try:
        yield ending
    finally:
        _ending = None
        if watcher is not None:
            stop_watching(watcher)
        for number in ours:
            signal.signal(number, handlers[number])
        sys.unraisablehook = hook


def ended_by(number: int, what_is_left: str = WHOLE) -> str:
    """Return the error message of a command that a signal ended."""
    how = "interrupted" if number == signal.SIGINT else f"ended by {signal.Signals(number).name}"
    return f"{how}; {what_is_left}"


def _is_loading(package: str) -> bool:
    """Return whether a package is being imported."""
    return bool(getattr(getattr(sys.modules.get(package), "__spec__", None), "_initializing", False))
