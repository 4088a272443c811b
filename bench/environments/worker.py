"""Run and time the rows of one environment, in a process of its Python.

This one file runs with Python 3.8 and later. It needs the standard library, numpy and the runtimes that are there;
linreg need not be installed. Requests arrive as lines of JSON on stdin, and each gets one line on stdout. Arrays and
models are files of the work folder, which the first request names. That request also gives the constants of timing.
"""

from __future__ import annotations

import gc
import importlib
import importlib.util
import json
import os
import platform
import sys
import time
from contextlib import suppress
from itertools import repeat
from pathlib import Path
from typing import Any, Callable, Dict, List, Tuple  # noqa: UP035

LIBRARIES = ("numpy", "onnxruntime", "torch")
OLDEST = (3, 8)
PACKAGES = ("onnxruntime", "onnxruntime-gpu", "torch", "numpy")

Run = Callable[[], Any]
Bind = Callable[[List[Any]], Tuple[Run, Run]]  # noqa: UP006
"""Binds inputs, and returns what is timed and what gives the outputs."""

Request = Dict[str, Any]  # noqa: UP006


class Session:
    """The rows that are loaded in this environment, and their calls."""

    def __init__(self, request: Request) -> None:
        self.folder = Path(request["folder"])
        self._timing: dict[str, int] = request["timing"]
        self._rows: dict[str, Bind] = {}
        self._calls: dict[tuple[str, str], list[Run]] = {}

    def load(self, request: Request) -> Request:
        """Load a row."""
        self._rows[request["row"]] = LOADERS[request["kind"]](self.folder, request)
        return {}

    def answer(self, request: Request) -> Request:
        """Run a row on the inputs of a case, and write its outputs to a file."""
        import numpy

        _, outputs = self._rows[request["row"]](self._inputs(request["case"]))
        arrays: dict[str, Any] = {f"{place:04}": array for place, array in enumerate(outputs())}
        numpy.savez(self.folder / request["to"], **arrays)
        return {}

    def bind(self, request: Request) -> Request:
        """Bind a row to several copies of the inputs of a case; return the calls of a block, and those that warm it."""
        bind, case = self._rows[request["row"]], request["case"]
        calls = [bind(self._inputs(case))[0] for _ in range(self._timing["bindings"])]
        self._calls[request["row"], case] = calls
        count, warm_in = self._calibrate(calls[0])
        return {"calls": count, "warm_in": warm_in}

    def block(self, request: Request) -> Request:
        """Time a block of calls, after calls that warm it."""
        calls = self._calls[request["row"], request["case"]]
        run = calls[request["round"] % len(calls)]
        for _ in repeat(None, request["warm_in"]):
            run()
        return {"ns": time_block(run, request["calls"])}

    def _calibrate(self, run: Run) -> tuple[int, int]:
        """Return how many calls fill a block, and how many warm-in calls to make, as `bench.worker.rounds` does."""
        timing, count = self._timing, 1
        _trials(run, 1, timing["warm_in_calls"], timing["slow_ns"])
        while True:
            least = min(_trials(run, count, timing["trials"], timing["very_slow_ns"]))
            if least >= timing["block_ns"] or count >= timing["max_calls"]:
                return count, min(timing["warm_in_calls"], 1 + int(timing["slow_ns"] * count / max(least, 1)))
            wanted = int(count * timing["block_ns"] / least) + 1 if least > 0 else count * 10
            count = min(max(wanted, count + 1), count * 10, timing["max_calls"])

    def _inputs(self, case: str) -> list[Any]:
        import numpy

        with numpy.load(self.folder / case, allow_pickle=False) as archive:
            return [archive[name] for name in sorted(archive.files)]


def time_block(run: Run, calls: int) -> int:
    """Return how many nanoseconds `calls` calls take."""
    iterations, clock = repeat(None, calls), time.perf_counter_ns
    start = clock()
    for _ in iterations:
        run()
    return clock() - start


def _trials(run: Run, calls: int, most: int, slow_ns: int) -> list[int]:
    """Time up to `most` blocks; only two if both are slow."""
    found = [time_block(run, calls) for _ in range(2)]
    while len(found) < most and min(found) < slow_ns:
        found.append(time_block(run, calls))
    return found


def load_onnxruntime(folder: Path, request: Request) -> Bind:
    """Load an ONNX file in onnxruntime, on the CPU."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = request["threads"]
    options.inter_op_num_threads = 1
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.log_severity_level = 4
    path = str(folder / request["file"])
    session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    input_names = [entry.name for entry in session.get_inputs()]
    output_names = [entry.name for entry in session.get_outputs()]

    def bind(arrays: list[Any]) -> tuple[Run, Run]:
        feed = dict(zip(input_names, arrays))  # noqa: B905
        if request["kind"] == "onnxruntime-run":
            return lambda: session.run(output_names, feed), lambda: session.run(output_names, feed)
        binding = session.io_binding()
        values = {name: onnxruntime.OrtValue.ortvalue_from_numpy(array, "cpu", 0) for name, array in feed.items()}
        for name, value in values.items():
            binding.bind_ortvalue_input(name, value)
        for name in output_names:
            binding.bind_output(name, "cpu")
        binding.kept = (feed, values)  # onnxruntime 1.15 reads their memory, and does not keep it itself

        def outputs() -> Any:
            session.run_with_iobinding(binding)
            return binding.copy_outputs_to_cpu()

        return lambda: session.run_with_iobinding(binding), outputs

    return bind


def load_torchscript(folder: Path, request: Request) -> Bind:
    """Load a TorchScript program."""
    import torch

    return _torch(torch.jit.load(str(folder / request["file"])).eval(), request["threads"])


def load_eager(folder: Path, request: Request) -> Bind:
    """Make the user's module by the code that is installed here, and give it the parameters of all environments."""
    import torch

    place, _, name = request["module"].rpartition(":")
    if place.endswith(".py"):
        sys.path.insert(0, str(Path(place).parent))
        place = Path(place).stem
    module = getattr(importlib.import_module(place), name)
    if not isinstance(module, torch.nn.Module):
        module = module(**request["arguments"])
    module.load_state_dict(torch.load(folder / request["state"], map_location="cpu", weights_only=True))
    return _torch(module.eval(), request["threads"])


def _torch(module: Any, threads: int) -> Bind:
    import torch

    torch.set_num_threads(threads)
    torch.set_grad_enabled(False)

    def bind(arrays: list[Any]) -> tuple[Run, Run]:
        tensors = [torch.from_numpy(array.copy()) for array in arrays]
        return lambda: module(*tensors), lambda: [tensor.numpy() for tensor in _flat(module(*tensors))]

    return bind


def _flat(value: Any) -> list[Any]:
    if hasattr(value, "numpy"):
        return [value]
    entries = value.values() if isinstance(value, dict) else value
    return [tensor for entry in entries for tensor in _flat(entry)]


LOADERS = {
    "onnxruntime-run": load_onnxruntime,
    "onnxruntime-io_binding": load_onnxruntime,
    "torchscript": load_torchscript,
    "eager": load_eager,
}


def describe(module: str) -> Request:
    """Return the version of Python, those of the packages that matter, and the libraries that are there.

    Args:
        module: dotted name of the user's module, whose package matters too; empty without one.
    """
    from importlib.metadata import PackageNotFoundError, version

    versions = {}
    for name in (*PACKAGES, *([module.split(".")[0]] if module else [])):
        with suppress(PackageNotFoundError):
            versions[name] = version(name)
    found = [name for name in LIBRARIES if importlib.util.find_spec(name)]
    return {"python": platform.python_version(), "versions": versions, "libraries": found}


def main() -> None:
    """Answer requests until stdin ends."""
    if sys.version_info < OLDEST:
        sys.exit("is Python {}, expected {}.{} or later".format(platform.python_version(), *OLDEST))
    del sys.path[0]  # the folder of this file, which holds modules of linreg
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)  # what a runtime prints is no answer
    answers.write("\n")  # ends a line that was printed as Python started
    gc.disable()
    session = None
    for line in sys.stdin:
        request = json.loads(line)
        try:
            if session is None:
                session, answer = Session(request), describe(request["module"])
            else:
                answer = getattr(session, request["do"])(request)
            reply: Request = {"answer": answer}
        except Exception as error:
            reply = {"problem": " ".join(f"{type(error).__name__}: {error}".split())[:300]}
        answers.write(json.dumps(reply) + "\n")


if __name__ == "__main__":
    main()
