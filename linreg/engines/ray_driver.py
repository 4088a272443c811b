"""The child process that talks to Ray: it reads calls from stdin, and writes results there, since stdin is a socket."""

import os
import shutil
import signal
import socket
import time
from collections import deque
from collections.abc import Sequence
from contextlib import suppress
from multiprocessing.connection import Connection
from pathlib import Path
from threading import Event, Thread
from typing import Any

from linreg.engines.ray_frames import END, failure, load, packed
from linreg.errors import one_line

RETRIES = 5
"""How often a task is run again after its worker process has died."""

WAIT_S = 0.1
"""How long to wait for a result before looking whether the caller still waits for it; and between two looks."""

CONNECT_LIMIT_S = 5.0
STORE_BYTES = 256 * 2**20
"""Ray's shared memory for results, which are small; it takes no memory before it is used."""


class _CallEndedError(Exception):
    """The caller wants no more results of this call."""


def _task(call: bytes, unit: bytes) -> bytes:
    """Run in a worker process. Ray sends this function by value, so no file beside a user's data can replace linreg."""
    for library in ("OMP", "OPENBLAS", "MKL"):
        os.environ[f"{library}_NUM_THREADS"] = "1"
    try:
        import _linreg
    except ModuleNotFoundError:
        return b""
    _linreg.load_own_packages()
    from linreg.engines.ray_task import perform

    return perform(call, unit)


def main() -> None:
    """Join a cluster, and serve calls until the channel is closed."""
    channel = Connection(os.dup(0))
    address, workers, folder = load(channel.recv_bytes())
    Thread(target=_end_with_caller, args=(folder,), daemon=True).start()
    with suppress(EOFError, OSError):
        if _joined(channel, address, workers, folder):
            while True:
                _serve(channel, *load(channel.recv_bytes()))
    Event().wait()


def _end_with_caller(folder: Path | None) -> None:
    """Wait until the channel is closed, then end this process and, if it was started here, all of Ray.

    The processes of a Ray of our own are killed, since they hold nothing that is of use to anyone, and `ray.shutdown`
    leaves some of them. A cluster that was joined cancels the tasks of a driver that has ended.
    """
    channel = socket.socket(fileno=os.dup(0))
    while True:
        with suppress(OSError):
            channel.setblocking(True)
            if channel.recv(1, socket.MSG_PEEK):
                time.sleep(WAIT_S)
                continue
        break
    if folder is not None:
        for _ in range(2):  # the first round ends those that start others
            for process in session_processes(os.getpid()):
                with suppress(ProcessLookupError, PermissionError):
                    os.kill(process, signal.SIGKILL)
        shutil.rmtree(folder, ignore_errors=True)
    os._exit(0)


def session_processes(leader: int) -> list[int]:
    """Return the processes of a session but for its leader; those that it has started may be in groups of their own."""
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        with suppress(OSError, ValueError):  # it has ended
            process = int(entry.name)
            if process != leader and os.getsid(process) == leader:
                found.append(process)
    return found


def _joined(channel: Connection, address: str, workers: int | None, folder: Path | None) -> bool:
    import ray

    own: dict[str, Any] = {}
    if folder is not None:
        own = {
            "num_cpus": workers or len(os.sched_getaffinity(0)),
            "include_dashboard": False,
            "object_store_memory": STORE_BYTES,
            "_temp_dir": str(folder),
        }
    try:
        if folder is None:
            check_reachable(address)
        ray.init(address=address, log_to_driver=False, logging_level="ERROR", **own)
    except Exception as error:  # Ray's documentation lists no classes
        hint = (
            "check the free memory and /dev/shm"
            if own
            else "check --address, and RAY_AUTH_MODE=token for a cluster that uses tokens"
        )
        where = "does not start" if own else f"no cluster at {address}"
        channel.send_bytes(failure(f"--engine ray: {where}: {one_line(error)}; {hint}"))
        return False
    channel.send_bytes(packed(None))
    return True


def check_reachable(address: str) -> None:
    """Check that something listens at an address; Ray would try for minutes, and then end this process.

    Args:
        address: `host:port`, or `auto`: a cluster of this machine that runs, or else the last one that Ray remembers.

    Raises:
        ValueError: it is no address.
        OSError: nothing listens there.
    """
    from ray._private.services import canonicalize_bootstrap_address

    found = canonicalize_bootstrap_address(address)
    host, _, port = found.rpartition(":")
    try:
        socket.create_connection((host.strip("[]"), int(port)), CONNECT_LIMIT_S).close()
    except OSError as error:
        raise type(error)(f"{found}: {error.strerror or error}") from None


def _serve(channel: Connection, call: bytes, units: Sequence[bytes]) -> None:
    """Send the result of each unit, in order, until the caller ends the call.

    Raises:
        EOFError: the caller has closed the channel.
    """
    import ray

    task = ray.remote(num_cpus=1, max_retries=RETRIES)(_task)
    shared = ray.put(call)
    ahead = 2 * max(1, int(ray.cluster_resources().get("CPU", 1)))
    waiting: deque[Any] = deque()
    rest = iter(units)
    try:
        for _ in units:
            while len(waiting) < ahead and (unit := next(rest, None)) is not None:
                waiting.append(task.remote(shared, unit))
            channel.send_bytes(_result(channel, waiting[0]))
            waiting.popleft()
        channel.recv_bytes()
    except _CallEndedError:
        pass
    finally:
        for reference in waiting:
            ray.cancel(reference, force=True)
    channel.send_bytes(END)


def _result(channel: Connection, reference: Any) -> bytes:
    import ray

    try:
        while not ray.wait([reference], timeout=WAIT_S)[0]:
            if channel.poll(0):
                channel.recv_bytes()  # END; or an EOFError
                raise _CallEndedError
        data: bytes = ray.get(reference)
    except (ray.exceptions.WorkerCrashedError, ray.exceptions.OutOfMemoryError) as error:
        return failure(
            f"--engine ray: a task was lost {RETRIES + 1} times: {one_line(error)}; "
            "give its workers more memory, or use fewer with --workers"
        )
    except ray.exceptions.RayError as error:
        return failure(f"--engine ray: a task cannot be run: {one_line(error)}; check the cluster, and run it again")
    return data or failure(
        "--engine ray: a worker has no linreg; install the same version of linreg on every node of the cluster"
    )


if __name__ == "__main__":
    main()
