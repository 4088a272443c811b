"""Run a function over units on a Ray cluster, as `linreg.engines.threads` does in threads.

Ray prints on stdout and stderr, and replaces signal handlers. So it is kept in a child process with a session of its
own, `linreg.engines.ray_driver`. This process sends it calls and receives results. If this process ends, however it
ends, the child sees that its channel is closed, cancels its tasks, and stops a Ray that it started.

Calls and results are pickled. They go only between linreg's own processes, through channels of this user and of Ray.
"""

import os
import secrets
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from importlib.util import find_spec
from multiprocessing.connection import Connection
from pathlib import Path
from threading import Thread
from typing import Any, TypeVar

from _linreg import child_command
from linreg import __version__
from linreg.engines.ray_frames import END, Failure, load, packed
from linreg.errors import LinregError
from linreg.watcher import remove_if_killed

Result = TypeVar("Result")

ONE_THREAD = {f"{library}_NUM_THREADS": "1" for library in ("OMP", "OPENBLAS", "MKL")}
QUIET = {"RAY_USAGE_STATS_ENABLED": "0", "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0"}
LOCAL = "local"
MAX_FOLDER_CHARACTERS = 40
JOIN_LIMIT_S = 60.0
"""How long a cluster may take to answer; what listens at its address may be something else, which never does."""

STOP_LIMIT_S = 60.0
END_LIMIT_S = 5.0
"""How long the child process may take to end once its channel is closed."""

CANCEL_LIMIT_S = 1.0
"""How long an interrupted command waits until its tasks are cancelled."""


class RayEngine:
    """A Ray cluster, joined or started; see `ray_cluster`."""

    def __init__(self, address: str | None) -> None:
        """Start the child process, which has not joined a cluster yet.

        Args:
            address: as for `ray_cluster`.
        """
        self._address = address or os.environ.get("RAY_ADDRESS") or LOCAL
        self._folder = _short_folder() if self._address == LOCAL else None
        own = {} if self._folder is None else _own_token()
        ours, theirs = socket.socketpair()
        self._log = tempfile.TemporaryFile()  # noqa: SIM115, it lives as long as the child
        with theirs:
            self._process = subprocess.Popen(
                child_command("linreg.engines.ray_driver"),
                stdin=theirs.fileno(),
                stdout=subprocess.DEVNULL,
                stderr=self._log,
                start_new_session=True,
                env={**os.environ, **ONE_THREAD, **QUIET, **own},
            )
        self._socket = ours
        self._channel = Connection(os.dup(ours.fileno()))

    @property
    def leader(self) -> int:
        """The process that leads the session of a Ray that was started here."""
        return self._process.pid

    def join(self, workers: int | None) -> None:
        """Join a cluster, or start a Ray on this machine.

        Args:
            workers: as for `ray_cluster`.

        Raises:
            LinregError: there is no such cluster, or Ray does not start.
        """
        self._send(packed((self._address, workers, self._folder)))
        if self._folder is None and not self._channel.poll(JOIN_LIMIT_S):
            raise LinregError(
                f"--engine ray: no cluster at {self._address}: got no answer in {JOIN_LIMIT_S:.0f} s; check --address"
            )
        self._receive()

    def run(
        self, function: Callable[..., Result], units: Sequence[Any], *arguments: Any, workers: int
    ) -> Iterator[Result]:
        """Yield `function(unit, *arguments)` for each unit, in the order of the units.

        A task whose worker process dies is run again, on another worker. An exception of the function is raised here.

        Args:
            function: a function of a module.
            units: what each call works on.
            arguments: the same for every call; pickled once.
            workers: not used: the cluster has its own number of workers.

        Raises:
            LinregError: a task was lost too often, or the cluster is gone.
        """
        del workers
        call = packed((__version__, os.getcwd(), packed((function, arguments))))  # noqa: PTH109, it is only sent
        self._send(packed((call, [packed(unit) for unit in units])))
        whole = True
        try:
            for _ in units:
                yield self._receive()
        except BaseException as error:  # an interruption may have cut an answer
            whole = isinstance(error, Exception | GeneratorExit)
            raise
        finally:
            if whole:
                self._end_call()

    def stop(self) -> None:
        """Leave the cluster, and wait until a Ray that was started here has stopped."""
        self._channel.close()
        self._socket.close()
        self._reap(STOP_LIMIT_S)

    def close(self) -> None:
        """Leave the cluster once its tasks are cancelled; a Ray that was started here stops in the background."""
        if not self._channel.closed:
            with suppress(OSError, EOFError):
                self._socket.shutdown(socket.SHUT_WR)
                while self._channel.poll(CANCEL_LIMIT_S):
                    self._channel.recv_bytes()
            self._channel.close()
        self._socket.close()
        self._log.close()
        Thread(target=self._reap, daemon=True).start()

    def _reap(self, limit_s: float = STOP_LIMIT_S) -> None:
        """Wait for the child, and remove what it leaves if it was killed: processes of Ray, and their files."""
        if self._process.returncode is not None:
            return
        deadline_s = time.monotonic() + limit_s
        # Its process id, which is that of its group, stays its own until it is waited for.
        while os.waitid(os.P_PID, self._process.pid, os.WEXITED | os.WNOWAIT | os.WNOHANG) is None:
            if time.monotonic() > deadline_s:
                self._process.kill()
            time.sleep(0.02)
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        if self._folder is not None:
            shutil.rmtree(self._folder, ignore_errors=True)

    def _end_call(self) -> None:
        """End a call, perhaps before all of its results were taken, and skip the others."""
        with suppress(EOFError, OSError):
            self._channel.send_bytes(END)
            while self._channel.recv_bytes() != END:
                pass

    def _send(self, data: bytes) -> None:
        try:
            self._channel.send_bytes(data)
        except OSError:
            raise self._gone() from None

    def _receive(self) -> Any:
        try:
            answer = load(self._channel.recv_bytes())
        except (EOFError, OSError):
            raise self._gone() from None
        if isinstance(answer, Failure):
            raise answer.error
        return answer

    def _gone(self) -> LinregError:
        return LinregError(f"Ray: its driver process {self._ending()}; run the command again")

    def _ending(self) -> str:
        """Say how the child process has ended: by a signal, or else by what it printed last."""
        deadline_s = time.monotonic() + END_LIMIT_S
        while (end := os.waitid(os.P_PID, self._process.pid, os.WEXITED | os.WNOWAIT | os.WNOHANG)) is None:
            if time.monotonic() > deadline_s:
                return "has closed its channel"
            time.sleep(0.02)
        if end.si_code in (os.CLD_KILLED, os.CLD_DUMPED):
            return f"was ended by {signal.Signals(end.si_status).name}"
        self._log.seek(0)
        lines = self._log.read().decode(errors="replace").split("\n")
        last = next((line.strip() for line in reversed(lines) if line.strip()), "it printed nothing")
        return f"has ended: {last[:200]}"


@contextmanager
def ray_cluster(address: str | None = None, workers: int | None = None) -> Iterator[RayEngine]:
    """Join a Ray cluster, or start a Ray on this machine, which is stopped at the end.

    Args:
        address: `auto` or `host:port` of a running cluster; None starts a local one, unless RAY_ADDRESS names one.
        workers: worker processes of a local one; None uses all cores.

    Raises:
        ModuleNotFoundError: ray is not installed.
        LinregError: there is no such cluster, or Ray does not start.
    """
    if find_spec("ray") is None:
        raise ModuleNotFoundError("No module named 'ray'", name="ray")
    engine = RayEngine(address)
    try:
        engine.join(workers)
        yield engine
        engine.stop()
    finally:
        engine.close()


def _own_token() -> dict[str, str]:
    """Return the variables that give a Ray a token of its own.

    Otherwise Ray would write one to ~/.ray, and every cluster that this user starts later would ask for it.
    """
    return {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": secrets.token_hex(32)}


def _short_folder() -> Path:
    """Return a new folder for the sockets of Ray, whose paths may have 107 characters."""
    folder = Path(tempfile.mkdtemp(prefix="linreg-ray-"))
    if len(str(folder)) > MAX_FOLDER_CHARACTERS:
        folder.rmdir()
        folder = Path(tempfile.mkdtemp(prefix="linreg-ray-", dir="/tmp"))
    remove_if_killed(folder)
    return folder
