"""Run an ONNX file of somebody else's in a child process with limits of memory, CPU and time.

A loop in it may be endless, an integer division kills its process, a small file may ask for all the memory there is.
None of this reaches the process that asks: it gets one error line. The child gets the very bytes that were checked,
over a socket, and knows no path; it is started at the first question and ends with the runner.
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
from export.runners.base import Call, Runner
from export.runners.frames import Array, BrokenFrameError, receive, send
from linreg.errors import ModelError
from linreg.memory import available_bytes

FLOOR_BYTES = 4 * 2**30
"""What every file may use, if it is there."""

GROWTH = 64
"""Bytes that a file may use for each byte of itself and its inputs, beyond the floor."""


@dataclass(frozen=True, kw_only=True)
class Limits:
    """What one question may cost.

    Attributes:
        wall_s: until the answer is there.
        cpu_s: of the child, all threads together.
        memory_bytes: of address space beside what Python and onnxruntime take; None derives it from the sizes of file
            and inputs, and takes three quarters of the available memory at most.
    """

    wall_s: float = 120.0
    cpu_s: int = 120
    memory_bytes: int | None = None


DEFAULT_LIMITS = Limits()


def guarded_onnx_runner(name: str, data: bytes, *, limits: Limits = DEFAULT_LIMITS) -> Runner:
    """Run an ONNX model, of whatever origin, in one child process, on the CPU with one thread.

    The child is started at the first `outputs()` or `parameters()`. After it died or did not answer, every further
    question fails with the same message.

    Args:
        name: for people.
        data: of the model.
        limits: of each question.

    Raises (what `outputs()` and `parameters()` of the runner raise):
        ModelError: onnxruntime refuses the file or the inputs, dies of them, or passes a limit.
    """
    child = _Child(name, data, limits)

    def bind(inputs: tuple[Array, ...]) -> Call:
        kept = tuple(np.array(array) for array in inputs)

        def outputs() -> tuple[Array, ...]:
            return tuple(child.ask("run", kept)[1])

        return Call(run=outputs, outputs=outputs, context=nullcontext)

    def parameters() -> Mapping[str, Array]:
        answer, arrays = child.ask("parameters", ())
        return dict(zip(answer["names"], arrays, strict=True))

    return Runner(name=name, bind=bind, parameters=parameters, folds=True)


class _Child:
    """The process that holds the session, and what became of it."""

    def __init__(self, name: str, data: bytes, limits: Limits) -> None:
        self._name, self._data, self._limits = name, data, limits
        self._process: subprocess.Popen[bytes] | None = None
        self._channel: socket.socket | None = None
        self._failure: str | None = None

    def ask(self, kind: str, arrays: Sequence[Array]) -> tuple[dict[str, Any], list[Array]]:
        """The answer to a question; the first one sends the model before.

        Raises:
            ModelError: the child refuses, has died, or passed a limit.
        """
        if self._process is None and self._failure is None:
            self._start()
            self._exchange("load", [np.frombuffer(self._data, np.uint8)])
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
        assert self._process is not None and self._channel is not None, "it has been started"
        memory = self._memory_bytes(sum(array.nbytes for array in arrays))
        question = {"kind": kind, "name": self._name, "memory_bytes": memory, "cpu_s": self._limits.cpu_s}
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
        self._failure = f"{self._name}: {what}; it is hostile, damaged, or needs more than it is given"
        return ModelError(self._failure)

    def _death(self, reason: str) -> str:
        """How the child ended; it has closed its socket, so it is gone or about to go."""
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
        wanted = FLOOR_BYTES + GROWTH * (len(self._data) + input_bytes)
        there = available_bytes()
        return wanted if there is None else min(wanted, there * 3 // 4)


def _end(process: "subprocess.Popen[bytes]", channel: socket.socket) -> None:
    """Kill the child, if it lives, and reap it."""
    channel.close()
    process.kill()
    process.wait()
