"""Read the hardware, versions and load from the system, but nothing that identifies this machine."""

import os
import platform
import time
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from bench.analysis.parts import Count, Name

PACKAGES = ("torch", "numpy", "onnx", "onnxruntime", "onnxruntime-gpu")


@dataclass(frozen=True, kw_only=True)
class Environment:
    """The machine and the software that a benchmark ran on.

    Attributes:
        processor: name of the processor, from the kernel.
        cores: logical processors of the machine.
        load_1min: load average over the last minute.
        system: name and release of the kernel.
        python: version of Python.
        versions: versions of the relevant packages, by name.
        cpu_capability: vector instruction set that torch uses.
        cuda: name of the CUDA device; None without one.
        clock_resolution_s: resolution of `time.perf_counter` in seconds.
        address_layout_randomised: whether the kernel randomises memory layout; None if unknown.
    """

    processor: Name
    cores: Count | None
    load_1min: float
    system: str
    python: Name
    versions: Mapping[str, Name]
    cpu_capability: str
    cuda: Name | None
    clock_resolution_s: float
    address_layout_randomised: bool | None


def describe_environment() -> Environment:
    """Describe the machine, the versions and the current load."""
    import torch

    return Environment(
        processor=_processor(),
        cores=os.cpu_count(),
        load_1min=round(os.getloadavg()[0], 2),
        system=f"{platform.system()} {platform.release()}",
        python=platform.python_version(),
        versions=_versions(),
        cpu_capability=torch.backends.cpu.get_cpu_capability(),
        cuda=torch.cuda.get_device_name() if torch.cuda.is_available() else None,
        clock_resolution_s=time.get_clock_info("perf_counter").resolution,
        address_layout_randomised=_randomised(),
    )


def stolen_s() -> float:
    """Return how many processor seconds the host has taken from this machine since it booted; 0 if unknown."""
    status = Path("/proc/stat")
    if not status.exists():
        return 0.0
    fields = status.read_text().splitlines()[0].split()
    return int(fields[8]) / os.sysconf("SC_CLK_TCK") if len(fields) > 8 else 0.0


def _versions() -> dict[str, str]:
    found = {}
    for name in PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def _processor() -> str:
    information = Path("/proc/cpuinfo")
    if information.exists():
        for line in information.read_text().splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    return platform.processor() or platform.machine()


def _randomised() -> bool | None:
    setting = Path("/proc/sys/kernel/randomize_va_space")
    return setting.read_text().strip() != "0" if setting.exists() else None
