"""Start the worker of an environment and exchange messages with it, one line of JSON in each direction."""

import json
import os
import select
import signal
import subprocess
import time
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import IO, Any

from bench.plan.interpreters import Interpreter
from linreg.errors import LinregError

WORKER = Path(__file__).with_name("worker.py")
START_S = 60.0
"""Seconds until the first answer: a Python starts, and finds what is installed."""

ANSWER_S = 600.0
MOST_PRINTED = 100
"""Lines that may be printed before the first answer, by what runs as Python starts."""

LONGEST_LINE = 2**20


class WorkerError(LinregError):
    """A worker could not do what was requested.

    Attributes:
        problem: the exception there, without the name of the environment.
    """

    def __init__(self, message: str, problem: str) -> None:
        super().__init__(message)
        self.problem = problem


class Worker:
    """A process of an environment's Python. Use it as a context manager, which ends the process.

    Attributes:
        name: name of the environment.
    """

    def __init__(self, interpreter: Interpreter, folder: Path, core: int | None) -> None:
        """Start the process.

        Args:
            interpreter: the Python to run.
            folder: work folder, with the files that messages name.
            core: the only core that it may use; None leaves the choice to the system.
        """
        self.name = interpreter.name
        self._interpreter = interpreter
        self._log = folder / f"{interpreter.name}.log"
        self._has_answered = False
        self._unread, self._printed = b"", list[str]()
        # Python's variables, such as PYTHONPATH, are those of this environment and not of that one.
        environment = {key: value for key, value in os.environ.items() if not key.startswith("PYTHON")}
        with self._log.open("wb") as log:
            try:
                self._process = subprocess.Popen(
                    [str(interpreter.python), str(WORKER)],
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    stderr=log,
                    env=environment,
                    bufsize=0,
                )
            except OSError as error:
                raise LinregError(
                    f"--env {self.name}: {interpreter.python} does not start: {error.strerror or error}; "
                    "give the Python of an environment, such as venv/bin/python"
                ) from None
        if core is not None:
            os.sched_setaffinity(self._process.pid, {core})

    @property
    def process_id(self) -> int:
        """Number of the process."""
        return self._process.pid

    def __enter__(self) -> "Worker":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._process.kill()
        for stream in (self._process.stdin, self._process.stdout):
            try:
                self._stream(stream).close()
            except OSError:  # the process ended before it had read all
                continue
        self._process.wait()

    def ask(self, do: str, **more: Any) -> dict[str, Any]:
        """Send a request, and return the answer.

        Raises:
            WorkerError: the request failed there, for example because a runtime rejects a file.
            LinregError: the process ended or does not answer, or is no Python.
        """
        asked = f" (asked for the {do} of {more['row']})" if "row" in more else ""
        with suppress(OSError):  # it has ended, and what it printed before is still to be read
            self._stream(self._process.stdin).write(json.dumps({"do": do, **more}).encode() + b"\n")
        deadline = time.monotonic() + (ANSWER_S if self._has_answered else START_S)
        while (reply := self._reply(self._line(deadline, asked))) is None:
            if len(self._printed) > MOST_PRINTED:
                raise self._no_python()
        self._has_answered = True
        if "problem" in reply:
            raise WorkerError(f"--env {self.name}: {reply['problem']}", reply["problem"])
        return dict(reply["answer"])

    def _line(self, deadline: float, asked: str) -> bytes:
        """Return the next line that the process writes."""
        pipe = self._stream(self._process.stdout).fileno()
        while b"\n" not in self._unread:
            if not select.select([pipe], [], [], max(deadline - time.monotonic(), 0.0))[0]:
                if self._has_answered:
                    raise LinregError(
                        f"--env {self.name}: no answer within {ANSWER_S:.0f} s{asked}; use a smaller --batch"
                    )
                raise LinregError(
                    f"--env {self.name}: {self._interpreter.python}: no answer within {START_S:.0f} s; is it a Python?"
                )
            data = os.read(pipe, 2**16)
            if not data:
                raise self._ended(asked)
            if len(self._unread) > LONGEST_LINE:
                raise self._no_python()
            self._unread += data
        line, _, self._unread = self._unread.partition(b"\n")
        return line

    def _reply(self, line: bytes) -> dict[str, Any] | None:
        """Return an answer or a problem; None for a line that something printed as Python started."""
        with suppress(ValueError, RecursionError):
            reply = json.loads(line)
            if isinstance(reply, dict) and set(reply) in ({"answer"}, {"problem"}):
                return reply
        self._printed += [line.decode(errors="replace")] if line else []
        return None

    @staticmethod
    def _stream(stream: IO[bytes] | None) -> IO[bytes]:
        assert stream is not None, "stdin and stdout are pipes"
        return stream

    def _no_python(self) -> LinregError:
        printed = self._printed[0] if self._printed else self._unread.decode(errors="replace")
        return LinregError(
            f"--env {self.name}: {self._interpreter.python} is not a Python: it printed {printed[:80]!r}"
        )

    def _ended(self, asked: str) -> LinregError:
        code = self._process.wait()
        lines = self._log.read_text(errors="replace").strip().splitlines()
        if not lines and self._printed and not self._has_answered:
            return self._no_python()
        words = " ".join(lines[-1].split())[:300] if lines else "it printed nothing"
        if code < 0:
            words = f"by {signal.Signals(-code).name}; {words}"
        elif not lines:
            words = f"with code {code}; {words}"
        older = "; expected Python 3.8 or later" if words.startswith("SyntaxError") else ""
        return LinregError(f"--env {self.name}: {self._interpreter.python} ended{asked}: {words}{older}")
