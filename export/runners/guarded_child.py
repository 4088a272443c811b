"""The child process of export.runners.guarded: runs onnxruntime, so that a malicious file can crash only this process.

Only export.runners.guarded starts it, and sends the bytes of the model and then the inputs over the socket on stdin. It
needs no torch. The process limits itself before it parses the first byte of the file.
"""

import ctypes
import os
import resource
import signal
import socket
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime  # noqa: F401 - loaded before the limits are set, which leave no room to load it

from export.formats.external_data import checked, external_tensors
from export.runners.base import Runner
from export.runners.frames import Array, BrokenFrameError, receive, send
from export.runners.onnxruntime import onnxruntime_runner
from linreg.errors import ModelError, one_line

PR_SET_PDEATHSIG = 1
"""The prctl option of Linux that sets the signal sent when the parent ends."""

OUT_OF_MEMORY = ("Failed to allocate memory", "bad_alloc", "bad allocation")
"""Parts of the messages of onnxruntime when it is out of memory."""

SEND_WITHIN_S = 600.0
MAX_BYTES = 2**48


def main() -> None:
    """Serve requests until the parent closes the socket."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C goes to all processes of the terminal; the parent decides
    channel = socket.socket(fileno=0)
    runner: Runner | None = None
    outside: frozenset[str] = frozenset()
    for soft in (resource.RLIMIT_FSIZE, resource.RLIMIT_CORE):
        resource.setrlimit(soft, (0, 0))
    own_bytes = _address_space_bytes()
    while True:
        try:
            request, arrays = receive(channel, within_s=None, max_bytes=MAX_BYTES)
        except BrokenFrameError:
            return
        _limit(request, own_bytes)
        answer: dict[str, object] = {}
        results: list[Array] = []
        try:
            if runner is None:
                runner, outside = _load(request["name"], request["optimisation"], *arrays)
            elif request["kind"] == "parameters":
                kept = {
                    name: value
                    for name, value in runner.parameters().items()
                    if value.dtype.kind in "biufc" and name not in outside
                }
                answer["names"], results = list(kept), list(kept.values())
            else:
                results = _numbers(runner.bind(tuple(arrays)).outputs())
        except MemoryError:
            answer["error"] = _too_little(request)
        except ModelError as error:
            answer["error"] = str(error).removeprefix(f"{request['name']}: ")
        except Exception as error:  # onnxruntime's classes are private
            small = any(words in str(error) for words in OUT_OF_MEMORY)
            answer["error"] = _too_little(request) if small else f"onnxruntime: {one_line(error)}"
        del arrays
        send(channel, answer, [] if "error" in answer else results, within_s=SEND_WITHIN_S)


def _load(name: str, optimisation: str, model: Array, contents: Array | None = None) -> tuple[Runner, frozenset[str]]:
    """Load a model, and return with it the names of the weights in its second file, which the parent has already."""
    data = model.tobytes()
    if contents is None:
        return onnxruntime_runner(name, data, optimisation=optimisation), frozenset()
    external = checked(name, data, external_tensors(name, data), contents, None)
    names = frozenset(tensor.name for tensor in external.tensors)
    return onnxruntime_runner(name, data, optimisation=optimisation, external=external, prepack=False), names


def _too_little(request: dict[str, Any]) -> str:
    return f"onnxruntime needs more memory for this file than its limit of {request['memory_bytes']} bytes"


def _numbers(outputs: tuple[Any, ...]) -> list[Array]:
    for place, output in enumerate(outputs):
        if not isinstance(output, np.ndarray) or output.dtype.kind not in "biufc":
            kind = output.dtype if isinstance(output, np.ndarray) else type(output).__name__
            raise ModelError(f"output {place} is {kind}, expected an array of numbers")
    return list(outputs)


def _limit(request: dict[str, Any], own_bytes: int) -> None:
    """Set the limits of a request, on top of the memory and CPU time that the process has already used."""
    _set(resource.RLIMIT_AS, own_bytes + int(request["memory_bytes"]))
    _set(resource.RLIMIT_CPU, int(time.process_time()) + 1 + int(request["cpu_s"]))


def _set(what: int, wanted: int) -> None:
    _, hard = resource.getrlimit(what)
    resource.setrlimit(what, (wanted if hard == resource.RLIM_INFINITY else min(wanted, hard), hard))


def _address_space_bytes() -> int:
    try:
        pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[0])
    except OSError:  # not Linux: a guess
        return 8 * 2**30
    return pages * os.sysconf("SC_PAGE_SIZE")


if __name__ == "__main__":
    main()
