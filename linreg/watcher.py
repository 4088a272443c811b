"""A process that watches a command: it ends native code on a signal, and removes what a killed command left.

Python runs signal handlers only between its own instructions, so a call into torch or ONNX Runtime can delay them for
minutes, and one that holds the GIL (torch.jit.freeze, onnx.checker) blocks every Python thread. But the C-level handler
writes to the wakeup pipe at once. A small process, forked before anything heavy is loaded, reads that pipe: if the
command has not ended 2 s after the signal, it sends the signal again, which then has its default action. It also
removes the temporary files and folders, and the lock, of a command that was killed.
"""

import fcntl
import os
import select
import shutil
import signal
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import NoReturn

GRACE_S = 2.0
WHOLE = "every file is whole, the old one or the new one"
ENDINGS = tuple(getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name))

TEMPORARY, LOCK, FOLDER, FORGET = b"t", b"l", b"f", b"-"
"""The first byte of a name that is sent to the watching process: what it is; FORGET takes back what came before."""

_names_pipe: int | None = None
"""Pipe that tells the watching process about such names; None if no process watches."""


def remove_if_killed(path: Path) -> None:
    """Register a temporary file or folder to be removed if this process dies before it can remove it itself."""
    _register(TEMPORARY, path)


@contextmanager
def unlocked_if_killed(lock: Path, made: Sequence[Path]) -> Iterator[None]:
    """Remove a lock file, and the folders made for it, if this process dies in the block.

    Args:
        lock: the lock file; it may be created in the block. It stays if another process has locked it by then.
        made: folders, the innermost first; those that are empty are removed.
    """
    for kind, paths in ((LOCK, [lock]), (FOLDER, made)):
        for path in paths:
            _register(kind, path)
    try:
        yield
    finally:
        _register(FORGET, lock)


def _register(kind: bytes, path: Path) -> None:
    if _names_pipe is not None:
        with suppress(OSError):
            os.write(_names_pipe, kind + os.fsencode(path.absolute()) + b"\0")


def start_watching(numbers: list[int]) -> tuple[int, int, int]:
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


def stop_watching(watcher: tuple[int, int, int]) -> None:
    """End the watching process, and wait for it."""
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
        for kind, path in _remaining(kept):
            with suppress(OSError):
                REMOVERS[kind](path)
    finally:
        os._exit(0)


def _remaining(kept: bytes) -> list[tuple[bytes, Path]]:
    """Return what is registered still, as (kind, path)."""
    found: list[tuple[bytes, Path]] = []
    for name in filter(None, kept.split(b"\0")):
        kind, path = name[:1], Path(os.fsdecode(name[1:]))
        if kind == FORGET:
            done = {(LOCK, path), *((FOLDER, parent) for parent in path.parents)}
            found = [entry for entry in found if entry not in done]
        else:
            found.append((kind, path))
    return found


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)


def _unlock(path: Path) -> None:
    """Remove a lock file, unless another process has locked it by now.

    Raises:
        OSError: it is locked, or is not there.
    """
    descriptor = os.open(path, os.O_RDWR | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    if os.path.samestat(path.lstat(), os.fstat(descriptor)):
        path.unlink()


REMOVERS: dict[bytes, Callable[[Path], None]] = {TEMPORARY: _remove, LOCK: _unlock, FOLDER: Path.rmdir}


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
                tell(f"ended by {signal.Signals(number).name} inside native code; {WHOLE}")
            os.kill(parent, number)
            number, deadline = signal.SIGKILL, time.monotonic() + GRACE_S


def tell(message: str) -> None:
    """Write an error message to the terminal, past the streams of Python."""
    with suppress(OSError):  # the terminal may be gone
        os.write(2, f"error: {message}\n".encode())
