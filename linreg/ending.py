"""End a command on a signal: by an exception in Python code, and from outside in native code.

Python runs signal handlers only between its own instructions, so a call into torch or ONNX Runtime can delay them for
minutes, and one that holds the GIL (torch.jit.freeze, onnx.checker) blocks every Python thread. But the C-level handler
writes to the wakeup pipe at once. A small process, forked before anything heavy is loaded, reads that pipe: if the
command has not ended 2 s after the signal, it sends the signal again, which then has its default action. It also
removes the temporary files and folders of a command that was killed.
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
WHOLE = "every file is whole, the old one or the new one"
INTERRUPTED = 130
"""Exit code of an interrupted command: 128 and the number of SIGINT."""

ENDINGS = tuple(getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name))

_names_pipe: int | None = None
"""Pipe that tells the watching process about temporary files; None if no process watches."""


class Ending:
    """Holds the signal that was received, even if the exception that it raised was swallowed.

    Attributes:
        number: number of the first signal, or None.
        is_over: whether the command has ended, so that there is nothing left to interrupt.
    """

    number: int | None = None
    is_over: bool = False

    def handle(self, number: int, _frame: object) -> None:
        """Interrupt the command once; further signals do not interrupt its clean-up."""
        if self.number is not None:
            return
        self.number = number
        sys.unraisablehook = lambda _: None  # a destructor or an import may swallow it and print a traceback
        if self.is_over:
            return
        if _is_loading("torch"):
            _tell(ended_by(number))
            os._exit(128 + number)
        raise KeyboardInterrupt if number == signal.SIGINT else TerminatedError(128 + number)


@contextmanager
def ending_by_signal(*, watched: bool) -> Iterator[Ending]:
    """Turn SIGINT, SIGTERM and SIGHUP into exceptions, except those that are ignored, as under nohup.

    Args:
        watched: whether to fork a process that makes sure that the command ends.
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


def ended_by(number: int) -> str:
    """Return the error message of a command that a signal ended."""
    how = "interrupted" if number == signal.SIGINT else f"ended by {signal.Signals(number).name}"
    return f"{how}; {WHOLE}"


def _is_loading(package: str) -> bool:
    """Return whether a package is being imported; an exception may then pass through C++ code and abort the process."""
    return bool(getattr(getattr(sys.modules.get(package), "__spec__", None), "_initializing", False))


def remove_if_killed(path: Path) -> None:
    """Register a temporary file or folder to be removed if this process dies before it can remove it itself."""
    if _names_pipe is not None:
        with suppress(OSError):
            os.write(_names_pipe, os.fsencode(path.absolute()) + b"\0")


def _start_watching(numbers: list[int]) -> tuple[int, int, int]:
    """Fork the watching process; return its process id and our ends of the two pipes."""
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
    """Make each signal return to its default action once it is received; only glibc has a function for this."""
    import ctypes

    libc = ctypes.CDLL(None)
    if not hasattr(libc, "sysv_signal"):
        return
    for function in (libc.signal, libc.sysv_signal):
        function.restype, function.argtypes = ctypes.c_void_p, (ctypes.c_int, ctypes.c_void_p)
    for number in numbers:
        libc.sysv_signal(number, libc.signal(number, None))


def _watch(parent: int, signals: int, names: int) -> NoReturn:
    """Wait for the parent to end, kill it if it does not, and remove the temporary files it left."""
    try:
        for number in ENDINGS:
            signal.signal(number, signal.SIG_IGN)
        os.dup2(os.open(os.devnull, os.O_RDWR), 1)  # a reader of the command's output must not wait for this process
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
    """Wait until the parent closes its end of the pipe, if only by dying; kill it if it takes too long after a signal.

    Return the names of its temporary files.
    """
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
                _tell(f"ended by {signal.Signals(number).name} inside native code; {WHOLE}")
            os.kill(parent, number)
            number, deadline = signal.SIGKILL, time.monotonic() + GRACE_S


def _tell(message: str) -> None:
    with suppress(OSError):  # the terminal may be gone
        os.write(2, f"error: {message}\n".encode())
