"""Estimate how long a benchmark will take."""

from bench.plan.planning import Plan
from bench.plan.variants import Device
from bench.protocol import FIRST_LOOK
from linreg.config import BenchSettings

PREPARATION_S = 4.0
PROCESS_S = 3.4
"""Seconds for a process to import the libraries and load every variant; with one process there is nothing to import."""

BLOCK_S = 0.00025
"""Seconds for a block of a small model, with the untimed calls before it."""


def estimate_s(plan: Plan, settings: BenchSettings) -> float:
    """Return the expected duration in seconds for a small model, without the programs of `--runtimes`."""
    rows = sum(len(plan.variants[device]) + 1 for device in _devices(plan))  # the null row is a copy of the reference
    blocks = rows * (settings.rounds or FIRST_LOOK) * len(settings.batches) * len(settings.threads)
    start_s = PROCESS_S if settings.processes > 1 else 0.0
    return PREPARATION_S + settings.processes * (start_s * len(_devices(plan)) + blocks * BLOCK_S)


def describe_estimate(plan: Plan, settings: BenchSettings) -> str:
    """Describe the estimate in one line, such as `about 45 s for a small model: 10 processes x 12 variants`."""
    variants = sum(len(plan.variants[device]) for device in _devices(plan))
    processes = "this process only" if settings.processes == 1 else f"{settings.processes} processes"
    sizes = f" x {len(settings.batches)} batch sizes" if len(settings.batches) > 1 else ""
    threads = f" x {len(settings.threads)} thread counts" if len(settings.threads) > 1 else ""
    more = (
        f", and up to {settings.more_processes} more processes until every interval is within 2%"
        if settings.more_processes
        else ""
    )
    duration = _rounded(estimate_s(plan, settings))
    return f"about {duration} for a small model: {processes} x {variants} variants{sizes}{threads}{more}"


def _devices(plan: Plan) -> list[Device]:
    """Return the devices of a plan that this machine has."""
    import torch

    return [device for device in plan.variants if device is Device.CPU or torch.cuda.is_available()]


def _rounded(seconds: float) -> str:
    if seconds >= 120:
        return f"{seconds / 60:.0f} min"
    return f"{5 * round(seconds / 5)} s" if seconds >= 20 else f"{seconds:.0f} s"
