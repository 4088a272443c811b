"""Machine, threads, versions and load, as read from the system; nothing that identifies this machine."""

import os
import platform
import time
from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

PACKAGES = ("torch", "numpy", "onnx", "onnxruntime", "onnxruntime-gpu")


def describe_environment() -> dict[str, Any]:
    """The machine and the versions that a benchmark runs on, as JSON values."""
    import torch

    return {
        "processor": _processor(),
        "cores": os.cpu_count(),
        "load_1min": round(os.getloadavg()[0], 2),
        "system": f"{platform.system()} {platform.release()}",
        "python": platform.python_version(),
        "versions": _versions(),
        "cpu_capability": torch.backends.cpu.get_cpu_capability(),
        "cuda": torch.cuda.get_device_name() if torch.cuda.is_available() else None,
        "clock_resolution_s": time.get_clock_info("perf_counter").resolution,
        "address_layout_randomised": _randomised(),
    }


def stolen_s() -> float:
    """Processor seconds that the host has taken from this machine since it started; 0 if unknown."""
    status = Path("/proc/stat")
    if not status.exists():
        return 0.0
    fields = status.read_text().splitlines()[0].split()
    return int(fields[8]) / os.sysconf("SC_CLK_TCK") if len(fields) > 8 else 0.0


def public_command(words: Sequence[str]) -> tuple[str, ...]:
    """The words of a command line as a report may show them: of an absolute path only the last part."""
    return tuple(map(_public_word, words))


def _public_word(word: str) -> str:
    option, equals, value = word.rpartition("=") if word.startswith("--") else ("", "", word)
    return f"{option}{equals}.../{Path(value).name}" if value.startswith(("/", "~")) else word


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
