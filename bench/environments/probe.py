"""Start the Python of every environment before the model is prepared, to learn at once which cannot be used."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from bench.environments.channel import Worker
from bench.plan.interpreters import Interpreter
from linreg.errors import LinregError
from linreg.folders import work_folder

RUNTIMES = frozenset({"onnxruntime", "torch"})


def probe(interpreters: Sequence[Interpreter]) -> None:
    """Check that every Python starts, and has numpy and a runtime that the first one has too.

    Raises:
        LinregError: one does not.
    """
    common: set[str] = set(RUNTIMES)
    with work_folder("linreg-bench-") as folder:
        for interpreter in interpreters:
            with Worker(interpreter, folder, None) as worker:
                found = RUNTIMES.intersection(begin(worker, folder, timing={}, module="")["libraries"])
            if interpreter is interpreters[0]:
                common = set(found)
            if not common & found:
                raise no_runtime(interpreter.name, interpreters[0].name)


def begin(worker: Worker, folder: Path, *, timing: Mapping[str, int], module: str) -> dict[str, Any]:
    """Send a worker its first request, and return its Python, versions and libraries.

    Args:
        worker: the worker.
        folder: the work folder.
        timing: the constants of timing; empty if it will time nothing.
        module: dotted name of the user's module; empty without one.

    Raises:
        LinregError: it is not a Python that can be used, or has no numpy.
    """
    described = worker.ask("start", folder=str(folder), timing=dict(timing), module=module)
    if "numpy" not in described["libraries"]:
        raise LinregError(f"--env {worker.name}: has no numpy, which holds inputs and outputs; install it there")
    return described


def no_runtime(name: str, first: str, why: str = "") -> LinregError:
    """Return the error of an environment that has no row in common with the first, or of the first without rows."""
    lacking = f"has no runtime that {first} has too" if name != first else "has no runtime that loads the model"
    return LinregError(f"--env {name}: {lacking}, expected onnxruntime or torch in both; install it there{why}")
