"""How a command ends by a signal: by an exception where Python runs, and from outside where native code does.

Python's handlers run between its own instructions only, so a call of torch or onnxruntime may keep them waiting for
minutes, and one that holds the interpreter's lock (torch.jit.freeze, onnx.checker) keeps every Python thread waiting
too. But the handler in C, which tells Python, writes to a pipe at once. A tiny process, forked before anything heavy is
loaded, reads it: if the command has not ended 2 s after the signal, it sends the signal again, which then has its
default action. It also removes the temporary files and folders of a command that died of whatever.
"""

import os
import select
import shutil
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import NoReturn

from linreg.errors import TerminatedError

GRACE_S = 2.0
ENDINGS = tuple(getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name))

_names_pipe: int | None = None
"""Where the watching process hears of temporary files; none in a process that nobody watches."""


class Ending:
    """Which signal has come; it counts, whatever became of the exception that told of it.

    Attributes:
        number: of the first signal.
        is_over: the command has ended, so there is nothing left to interrupt.
    """

    number: int | None = None
    is_over: bool = False

    def handle(self, number: int, _frame: object) -> None:
        """Interrupt the command, once: cleaning up is not interrupted."""
        if self.number is not None:
            return
        self.number = number
        sys.unraisablehook = lambda _: None  # a destructor or an import may swallow it, with a traceback
        if not self.is_over:
            raise KeyboardInterrupt if number == signal.SIGINT else TerminatedError(128 + number)


@contextmanager
def ending_by_signal(*, watched: bool) -> Iterator[Ending]:
    """Turn SIGINT, SIGTERM and SIGHUP into exceptions, but those that are ignored, as by nohup.

    Args:
        watched: fork a process that sees to it that the command ends.
    """
    ending, hook = Ending(), sys.unraisablehook
    handlers = {number: signal.getsignal(number) for number in ENDINGS}
    ours = [number for number in ENDINGS if handlers[number] in (signal.SIG_DFL, signal.default_int_handler)]
    for number in ours:
        signal.signal(number, ending.handle)
    watcher = _start_watching(ours) if watched else None
    try:
        yield ending
    finally:
        ending.is_over = True
        if watcher is not None:
            _stop_watching(watcher)
        for number in ours:
            signal.signal(number, handlers[number])
        sys.unraisablehook = hook


def remove_if_killed(path: Path) -> None:
    """Have a temporary file or folder removed when this process dies before it can."""
    if _names_pipe is not None:
        with suppress(OSError):
            os.write(_names_pipe, os.fsencode(path.absolute()) + b"\0")


def _start_watching(numbers: list[int]) -> tuple[int, int, int]:
    """Fork the watching process; returns its id and our ends of the two pipes."""
    global _names_pipe
    signals_in, signals_out = os.pipe()
    names_in, names_out = os.pipe()
    parent = os.getpid()
    child = os.fork()
    if child == 0:
        os.close(signals_out)
        os.close(names_out)
        _watch(parent, signals_in, names_in)
    os.close(signals_in)
    os.close(names_in)
    os.set_blocking(signals_out, False)
    signal.set_wakeup_fd(signals_out, warn_on_full_buffer=False)
    _reset_when_received(numbers)
    _names_pipe = names_out
    return child, signals_out, names_out


def _stop_watching(watcher: tuple[int, int, int]) -> None:
    global _names_pipe
    child, signals_out, names_out = watcher
    _names_pipe = None
    signal.set_wakeup_fd(-1)
    os.close(signals_out)
    os.close(names_out)
    with suppress(OSError):
        os.waitpid(child, 0)


def _reset_when_received(numbers: list[int]) -> None:
    """Give a signal its default action after it has come once; only glibc has a function for this."""
    import ctypes

    libc = ctypes.CDLL(None)
    if not hasattr(libc, "sysv_signal"):
        return
    for function in (libc.signal, libc.sysv_signal):
        function.restype, function.argtypes = ctypes.c_void_p, (ctypes.c_int, ctypes.c_void_p)
    for number in numbers:
        libc.sysv_signal(number, libc.signal(number, None))


def _watch(parent: int, signals: int, names: int) -> NoReturn:
    """Wait until the parent has ended, and end it if it does not; then remove what it left."""
    try:
        for number in ENDINGS:
            signal.signal(number, signal.SIG_IGN)
        os.dup2(os.open(os.devnull, os.O_RDWR), 1)  # who reads the output of the command waits for it, not for this
        kept = _wait_for_the_end(parent, signals, names)
        for name in filter(None, kept.split(b"\0")):
            path = Path(os.fsdecode(name))
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path, ignore_errors=True)
            else:
                path.unlink(missing_ok=True)
    finally:
        os._exit(0)


def _wait_for_the_end(parent: int, signals: int, names: int) -> bytes:
    """The names of temporary files, when the parent has closed its end of the pipe, by dying for one."""
    kept = b""
    number: int = signal.SIGKILL
    deadline: float | None = None
    while True:
        left_s = None if deadline is None else max(deadline - time.monotonic(), 0.0)
        ready, _, _ = select.select([signals, names], [], [], left_s)
        if names in ready:
            kept += os.read(names, 65536)
        if signals in ready:
            received = os.read(signals, 64)
            if not received:
                return kept + os.read(names, 65536)
            if deadline is None and (found := [byte for byte in received if byte in ENDINGS]):
                number, deadline = found[0], time.monotonic() + GRACE_S
        if not ready:
            if number != signal.SIGKILL:
                _tell(signal.Signals(number).name)
            os.kill(parent, number)
            number, deadline = signal.SIGKILL, time.monotonic() + GRACE_S


def _tell(name: str) -> None:
    with suppress(OSError):  # the terminal may be gone
        os.write(
            2, f"error: ended by {name} inside native code; every file is whole, the old one or the new one\n".encode()
        )
