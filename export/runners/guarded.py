"""Run an untrusted ONNX file in a child process with limits on memory, CPU and time.

A loop in such a file may never end, an integer division may kill the process, and a small file may ask for all memory.
None of this harms the parent process, which gets a one-line error. The child receives no path; the parent sends it the
checked bytes over a socket. It starts with the first request and ends when the runner is deleted.
"""

import os
import signal
import socket
import subprocess
import time
import weakref
from collections.abc import Mapping, Sequence
from contextlib import nullcontext, suppress
from dataclasses import dataclass
from typing import Any

import numpy as np

from _linreg import child_command
from export.formats.external_data import ExternalData
from export.runners.base import Call, Runner
from export.runners.frames import Array, BrokenFrameError, receive, send
from linreg.errors import ModelError
from linreg.memory import available_bytes

FLOOR_BYTES = 4 * 2**30
"""The memory that every file may use, if that much is available."""

GROWTH = 64
"""Additional bytes for each byte of the file and its inputs."""


@dataclass(frozen=True, kw_only=True)
class Limits:
    """Limits on one request.

    Attributes:
        wall_s: wall-clock time until the outputs arrive.
        cpu_s: CPU time of the child, over all threads.
        memory_bytes: address space beyond that of Python and onnxruntime. None derives the limit from the sizes of the
            file and its inputs, up to three quarters of the available memory.
    """

    wall_s: float = 120.0
    cpu_s: int = 120
    memory_bytes: int | None = None


DEFAULT_LIMITS = Limits()


def guarded_onnx_runner(
    name: str,
    data: bytes,
    *,
    external: ExternalData | None = None,
    limits: Limits = DEFAULT_LIMITS,
    optimisation: str = "all",
) -> Runner:
    """Make a runner for an ONNX model of any origin, which runs in a child process, on the CPU and with one thread.

    The child starts with the first call of `outputs()` or `parameters()`. These raise ModelError if onnxruntime rejects
    the file or the inputs, crashes, or exceeds a limit. After a crash or a timeout, every later call fails with the
    same message.

    Args:
        name: the name used in messages.
        data: the bytes of the model.
        external: the checked contents of the model's second file, which the child gets too.
        limits: the limits of each request.
        optimisation: `all` graph optimisations, or `disabled`.
    """
    contents = [np.frombuffer(data, np.uint8)]
    if external is not None:
        contents.append(np.frombuffer(external.contents, np.uint8))
    child = _Child(name, contents, limits, optimisation)

    def bind(inputs: tuple[Array, ...]) -> Call:
        kept = tuple(np.array(array) for array in inputs)

        def outputs() -> tuple[Array, ...]:
            return tuple(child.ask("run", kept)[1])

        return Call(run=outputs, outputs=outputs, context=nullcontext)

    def parameters() -> Mapping[str, Array]:
        answer, arrays = child.ask("parameters", ())
        found = dict(zip(answer["names"], arrays, strict=True))
        return found if external is None else found | dict(external.arrays)

    return Runner(name=name, bind=bind, parameters=parameters, folds=True)


class _Child:
    """The child process that holds the onnxruntime session."""

    def __init__(self, name: str, contents: list[Array], limits: Limits, optimisation: str = "all") -> None:
        self._name, self._contents, self._limits, self._optimisation = name, contents, limits, optimisation
        self._process: subprocess.Popen[bytes] | None = None
        self._channel: socket.socket | None = None
        self._failure: str | None = None

    def ask(self, kind: str, arrays: Sequence[Array]) -> tuple[dict[str, Any], list[Array]]:
        """Send a request and return the response; the first request starts the child and sends it the model.

        Raises:
            ModelError: the child reports an error, has crashed, or has exceeded a limit.
        """
        if self._process is None and self._failure is None:
            self._start()
            self._exchange("load", self._contents)
        return self._exchange(kind, arrays)

    def _start(self) -> None:
        ours, theirs = socket.socketpair()
        threads = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
        with theirs:
            self._process = subprocess.Popen(
                child_command("export.runners.guarded_child"),
                stdin=theirs.fileno(),
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                start_new_session=True,
                env={**os.environ, **threads},
            )
        self._channel = ours
        weakref.finalize(self, _end, self._process, ours)

    def _exchange(self, kind: str, arrays: Sequence[Array]) -> tuple[dict[str, Any], list[Array]]:
        if self._failure is not None:
            raise ModelError(self._failure)
        assert self._process is not None and self._channel is not None, "the first request starts it"
        memory = self._memory_bytes(sum(array.nbytes for array in arrays))
        question = {
            "kind": kind,
            "name": self._name,
            "optimisation": self._optimisation,
            "memory_bytes": memory,
            "cpu_s": self._limits.cpu_s,
        }
        answered = False
        start = time.monotonic()
        try:
            send(self._channel, question, arrays, within_s=self._limits.wall_s)
            left_s = self._limits.wall_s - (time.monotonic() - start)
            answer, results = receive(self._channel, within_s=left_s, max_bytes=memory)
            answered = True
        except TimeoutError:
            raise self._failed(f"onnxruntime did not answer within {self._limits.wall_s:g} s on this file") from None
        except BrokenFrameError as error:
            raise self._failed(self._death(str(error))) from None
        finally:
            if not answered:  # an interruption too
                _end(self._process, self._channel)
        if "error" in answer:
            text = f"{self._name}: {str(answer['error'])[:400]}"
            if kind == "load":
                _end(self._process, self._channel)
                self._failure = text
            raise ModelError(text)
        return answer, results

    def _failed(self, what: str) -> ModelError:
        self._failure = f"{self._name}: {what}; the file is malicious or damaged, or needs more resources than allowed"
        return ModelError(self._failure)

    def _death(self, reason: str) -> str:
        """Describe how the child ended. Either it has closed its socket and exits, or it has sent an invalid frame."""
        assert self._process is not None
        with suppress(subprocess.TimeoutExpired):
            code = self._process.wait(5)
            if code == -signal.SIGXCPU:
                return f"onnxruntime used more than {self._limits.cpu_s} s of CPU on this file"
            if code < 0:
                return f"onnxruntime was killed by {signal.Signals(-code).name} on this file"
            return f"the process of onnxruntime ended with code {code} on this file"
        return f"the process of onnxruntime sent {reason}"

    def _memory_bytes(self, input_bytes: int) -> int:
        if self._limits.memory_bytes is not None:
            return self._limits.memory_bytes
        wanted = FLOOR_BYTES + GROWTH * (sum(part.nbytes for part in self._contents) + input_bytes)
        there = available_bytes()
        return wanted if there is None else min(wanted, there * 3 // 4)


def _end(process: "subprocess.Popen[bytes]", channel: socket.socket) -> None:
    """Kill the child if it is running, and reap it."""
    channel.close()
    process.kill()
    process.wait()
