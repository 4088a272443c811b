"""The CPU time of another process, which says what it has done however busy the machine is."""

import os
from pathlib import Path


def cpu_seconds(pid: int | str) -> float:
    """The user and system time of a process, from its line in /proc."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return sum(map(int, fields[11:13])) / os.sysconf("SC_CLK_TCK")
