"""The vector instructions of the processor, as torch names them in `torch.backends.cpu.get_cpu_capability()`."""

from pathlib import Path

NEEDED = {"AVX512": {"avx512f", "avx512vl", "avx512bw", "avx512dq", "fma"}, "AVX2": {"avx2", "fma"}}
"""The flags of the kernel that each capability needs, the widest first."""


def cpu_capability(information: Path = Path("/proc/cpuinfo")) -> str:
    """Return `AVX512`, `AVX2`, or `DEFAULT` if neither is known of the processor."""
    flags: set[str] = set()
    if information.exists():
        lines = information.read_text(errors="replace").splitlines()
        flags = set(next((line for line in lines if line.startswith("flags")), "").split())
    return next((name for name, needed in NEEDED.items() if needed <= flags), "DEFAULT")
