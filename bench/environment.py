"""Machine, threads, versions and load: read back, never assumed. Nothing that names the machine."""

import os
import platform
from importlib.metadata import version
from pathlib import Path
from typing import Any


def set_threads(threads: int) -> None:
    """Give torch `threads` intra-op threads; onnxruntime gets its own where a session is made."""
    import torch

    torch.set_num_threads(threads)


def describe_environment() -> dict[str, Any]:
    """What the figures were measured on, as JSON values."""
    import torch

    return {
        "processor": _processor(),
        "cores": os.cpu_count(),
        "load_1min": round(os.getloadavg()[0], 2),
        "system": f"{platform.system()} {platform.release()}",
        "python": platform.python_version(),
        "versions": {name: version(name) for name in ("torch", "numpy", "onnx", "onnxruntime")},
        "torch_threads": torch.get_num_threads(),
        "cpu_capability": torch.backends.cpu.get_cpu_capability(),
    }


def _processor() -> str:
    information = Path("/proc/cpuinfo")
    if information.exists():
        for line in information.read_text().splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    return platform.processor() or platform.machine()
