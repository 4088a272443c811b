"""The processes of one Ray: those of the session that its driver process leads."""

import os
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from threading import Event, Thread

LIMIT_S = 30.0


def processes() -> dict[int, tuple[int, int, str]]:
    """Every process: its parent, its session and its command line."""
    found = {}
    for folder in Path("/proc").iterdir():
        with suppress(OSError, ValueError):
            text = (folder / "stat").read_text()
            state, parent, _group, session = text.rpartition(")")[2].split()[:4]
            line = (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
            if state != "Z":
                found[int(folder.name)] = (int(parent), int(session), line)
    return found


def session_of(leader: int) -> dict[int, str]:
    """The processes of a session, with their command lines."""
    return {pid: line for pid, (_, session, line) in processes().items() if session == leader}


def driver_of(command: int) -> int | None:
    """The driver process that a process has started."""
    for pid, (parent, _, line) in processes().items():
        if parent == command and "linreg.engines.ray_driver" in line:
            return pid
    return None


def wait_for_driver(command: int) -> int:
    """The driver process of a command, once it has started a worker."""
    deadline = time.monotonic() + LIMIT_S
    while time.monotonic() < deadline:
        driver = driver_of(command)
        if driver is not None and any("ray::" in line for line in session_of(driver).values()):
            return driver
        time.sleep(0.02)
    raise AssertionError("no driver process with a worker")


def wait_until_gone(leader: int) -> None:
    """Wait until a session has no process any more."""
    deadline = time.monotonic() + LIMIT_S
    while left := session_of(leader):
        assert time.monotonic() < deadline, f"these are left: {left}"
        time.sleep(0.05)


@contextmanager
def killing(leader: int, most: int = 3) -> Iterator[list[int]]:
    """Kill workers of a session by -9 while they run a task, one after another."""
    killed: list[int] = []
    over = Event()

    def kill() -> None:
        while not over.wait(0.005) and len(killed) < most:
            for pid, line in session_of(leader).items():
                if line.startswith("ray::_task"):
                    os.kill(pid, signal.SIGKILL)
                    killed.append(pid)
                    over.wait(0.3)
                    break

    thread = Thread(target=kill)
    thread.start()
    try:
        yield killed
    finally:
        over.set()
        thread.join()
