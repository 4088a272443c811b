"""Run the self-check of the harness with a model, and store its record for later reports on this machine."""

from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

from bench.analysis.self_check import SelfCheck, describe, self_check
from bench.environment import describe_environment
from bench.plan.expected import SEED
from bench.worker.measurement import torch_threads
from export.bundle.build import build
from export.formats.names import Format
from export.runners.ledger import state_folder
from export.runners.onnxruntime import onnxruntime_runner
from export.runners.torch import torch_runner
from export.source.source import from_checkpoint
from linreg.checkpoint import load
from linreg.errors import LinregError
from linreg.files import read_json, write_json

FILE = "self-check.json"
SAME_FIELDS = ("processor", "cores", "versions")
"""Fields of the environment: a record holds only for reports of the same machine and versions."""


def check_harness(model: Path, progress: Callable[[int], None]) -> tuple[SelfCheck, dict[str, Any]]:
    """Check the harness with a model on one thread, and store the record.

    Args:
        model: bundle or .pth file.
        progress: called with the number of runs completed, of `bench.analysis.self_check.ALL_RUNS`.

    Returns:
        The figures, and the record as JSON values.

    Raises:
        LinregError: the model cannot be loaded, or the record cannot be written.
    """
    source = from_checkpoint(load(model))
    onnx = build(source, Format.ONNX)
    with torch_threads(1):
        check = self_check(
            lambda: torch_runner("eager", load(model).model),
            lambda: onnxruntime_runner("neighbour", onnx),
            source.random_inputs(source.sizes(batch=1), 1.0, SEED),
            progress,
        )
    record = {**describe(check), "environment": asdict(describe_environment())}
    write_json(state_folder() / FILE, record)
    return check, record


def last_self_check() -> dict[str, Any] | None:
    """Return the record of the last self-check if it ran on this machine with these versions; else None."""
    try:
        record = read_json(state_folder() / FILE)
    except LinregError:
        return None
    now, then = asdict(describe_environment()), record.get("environment")
    return record if isinstance(then, dict) and all(now[name] == then.get(name) for name in SAME_FIELDS) else None
