"""Make exports of modules quick where a process makes many: what a process does once, and what its children load.

torch builds its table of ONNX functions anew for each export, a third of the time that the export of a small module
takes. The probes of each file run in a child process that first loads torch. Here the table is built once a process,
and the children are forks of one process that has loaded torch. Commands that tests run in processes of their own do
neither.
"""

import contextlib
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

# Reads a folder, a time limit and where to run; forks a child whose words, input and output are files in that folder.
FORKING = """
import os, signal, sys
import export.proof.probe_child, export.runners.onnxruntime, export.runners.torch
for line in sys.stdin:
    folder, limit_s, here = line.rstrip("\\n").split("\\0")
    child = os.fork()
    if child == 0:
        try:
            os.dup2(os.open(f"{folder}/input", os.O_RDONLY), 0)
            os.dup2(os.open(f"{folder}/output", os.O_WRONLY | os.O_CREAT), 1)
            os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
            signal.alarm(int(limit_s))
            sys.stdin = open(0, closefd=False)
            sys.argv = open(f"{folder}/words").read().split("\\0")
            os.chdir(here)
            export.proof.probe_child.main()
            os._exit(0)
        finally:
            os._exit(1)
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
"""


class ForkedProbes:
    """Stand in for `subprocess.run` in export.proof.probes; the process is started for the first probe."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[str] | None = None

    def run(
        self,
        command: list[str],
        *,
        input: bytes,  # noqa: A002  (as in subprocess.run)
        timeout: int,
        **_: Any,
    ) -> "subprocess.CompletedProcess[bytes]":
        """Run a probe in a fork, and return how it ended."""
        if self._process is None:
            words = [sys.executable, "-c", FORKING]
            pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
            self._process = subprocess.Popen(words, cwd=Path(__file__).parents[1], text=True, **pipes)
        assert self._process.stdin is not None and self._process.stdout is not None
        with tempfile.TemporaryDirectory() as folder:
            (Path(folder) / "input").write_bytes(input)
            (Path(folder) / "words").write_text("\0".join(command[command.index("export.proof.probe_child") :]))
            self._process.stdin.write(f"{folder}\0{timeout}\0{Path.cwd()}\n")
            self._process.stdin.flush()
            code = int(self._process.stdout.readline())
            return subprocess.CompletedProcess(command, code, (Path(folder) / "output").read_bytes(), b"")

    def close(self) -> None:
        """End the process."""
        if self._process is not None:
            self._process.communicate()


@contextlib.contextmanager
def forked_probes() -> Iterator[None]:
    """Run the probes of files in forks of one process."""
    import export.proof.probes

    forks = ForkedProbes()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            export.proof.probes,
            "subprocess",
            SimpleNamespace(run=forks.run, TimeoutExpired=subprocess.TimeoutExpired),
        )
        try:
            yield
        finally:
            forks.close()


@contextlib.contextmanager
def one_table_of_functions() -> Iterator[None]:
    """Build torch's table of ONNX functions once for each opset; each export gets a copy of its own."""
    from torch.onnx._internal.exporter._registration import ONNXRegistry

    tables: dict[tuple[Any, ...], ONNXRegistry] = {}
    build: Callable[..., ONNXRegistry] = ONNXRegistry.from_torchlib

    def copy(*arguments: Any, **options: Any) -> ONNXRegistry:
        key = (*arguments, *options.items())
        if key not in tables:
            tables[key] = build(*arguments, **options)
        registry = ONNXRegistry()
        registry._opset_version = tables[key].opset_version
        registry.functions = {target: [*functions] for target, functions in tables[key].functions.items()}
        return registry

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ONNXRegistry, "from_torchlib", staticmethod(copy))
        yield
