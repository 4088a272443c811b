"""Start the worker of an environment and exchange messages with it, one line of JSON in each direction."""

import json
import os
import select
import subprocess
from pathlib import Path
from types import TracebackType
from typing import IO, Any

from bench.plan.interpreters import Interpreter
from linreg.errors import LinregError

WORKER = Path(__file__).with_name("worker.py")
TIMEOUT_S = 600.0


class WorkerError(LinregError):
    """A worker could not do what was requested."""


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
                    text=True,
                    bufsize=1,
                )
            except OSError as error:
                raise LinregError(
                    f"--env {self.name}: {interpreter.python} does not start: {error.strerror or error}; "
                    "give the Python of an environment, such as venv/bin/python"
                ) from None
        if core is not None:
            os.sched_setaffinity(self._process.pid, {core})

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
            LinregError: the process ended or does not answer.
        """
        answers = self._stream(self._process.stdout)
        try:
            self._stream(self._process.stdin).write(json.dumps({"do": do, **more}) + "\n")
            ready, _, _ = select.select([answers], [], [], TIMEOUT_S)
            line = answers.readline() if ready else None
        except OSError:
            line = ""
        if line is None:
            raise LinregError(f"--env {self.name}: no answer within {TIMEOUT_S:.0f} s; use a smaller --batch")
        if not line:
            raise LinregError(f"--env {self.name}: {self._interpreter.python} ended: {self._last_words()}")
        try:
            answer = json.loads(line)
        except ValueError:
            answer = None
        if not isinstance(answer, dict):
            raise LinregError(
                f"--env {self.name}: {self._interpreter.python} is not a Python: it printed {line[:80]!r}"
            )
        if "problem" in answer:
            raise WorkerError(f"{self.name}: {answer['problem']}")
        return answer

    @staticmethod
    def _stream(stream: IO[str] | None) -> IO[str]:
        assert stream is not None, "stdin and stdout are pipes"
        return stream

    def _last_words(self) -> str:
        code = self._process.wait()
        lines = self._log.read_text(errors="replace").strip().splitlines()
        return " ".join(lines[-1].split())[:300] if lines else f"it exited with code {code} and printed nothing"
