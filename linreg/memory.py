"""Measure how much memory is left for this process, so that an oversized table is an error instead of a crash."""

import os
import re
from collections.abc import Iterator
from pathlib import Path

from linreg.errors import DataError, LinregError

PROC = Path("/proc")
CGROUP = Path("/sys/fs/cgroup")
BASE_BYTES = 10**9
"""Address space of torch, SciPy and Arrow before any work: 0.94 GB by VmPeak in /proc/self/status."""
LIGHT_BYTES = 4 * 10**8
"""The same with ONNX Runtime instead of torch."""
THREAD_BYTES = 10**8
"""Address space of one thread: stack, heap and OpenBLAS buffer."""


def available_bytes() -> int | None:
    """Return the bytes left under the tightest limit: physical memory, cgroups, or address space (`ulimit -v`).

    Returns:
        None if the system reports none of them.
    """
    limits = [*_of_machine(), *_of_cgroups(), *_of_address_space()]
    return max(0, min(limits)) if limits else None


def check_memory(origin: str, needed: int, purpose: str) -> None:
    """Check that a table fits into memory before the work on it starts.

    Args:
        origin: what the message calls the table.
        needed: approximate number of bytes.
        purpose: what needs the memory, for the message.

    Raises:
        DataError: less memory is available; the message has both numbers.
    """
    there = available_bytes()
    if there is not None and needed > there:
        raise DataError(
            f"{origin}: needs about {in_words(needed)} of memory for {purpose}, and {in_words(there)} are available; "
            "choose fewer columns with --features, or use fewer rows"
        )


def check_address_space(base: int = BASE_BYTES) -> None:
    """Check, before torch and OpenBLAS are loaded, that `ulimit -v` leaves room for them: otherwise they abort or hang.

    Args:
        base: bytes needed besides those of the threads.

    Raises:
        LinregError: the limit is too low.
    """
    limit = _address_space_limit()
    needed = base + THREAD_BYTES * usable_cores()
    if limit is not None and limit < needed:
        raise LinregError(
            f"this process may use {in_words(limit)} of address space (ulimit -v), expected at least "
            f"{in_words(needed)} on {usable_cores()} cores; raise or remove the limit"
        )


def parse_bytes(name: str, size: str | int) -> int:
    """Parse a size such as 500MB, 2GB or 1.5GiB; a number is one of bytes.

    Args:
        name: what the message calls it.
        size: a number, with a unit unless it is one of bytes.

    Raises:
        DataError: it is not a size.
    """
    found = re.fullmatch(r"(\d+(?:\.\d+)?)\s*(?:([kKMGT]?)(i?)B)?", str(size).strip())
    if found is None or not float(found[1]):
        raise DataError(f"{name}: got {str(size)[:60]!r}, expected a size such as 500MB or 2GB")
    return int(float(found[1]) * (1024 if found[3] else 1000) ** " KMGT".index((found[2] or " ").upper()))


def in_words(size: int) -> str:
    """Format a number of bytes, such as 512 B, 3.2 MB or 20.0 GB."""
    value = float(size)
    for unit in ("B", "kB", "MB", "GB"):
        if value < 1000 or unit == "GB":
            break
        value /= 1000
    return f"{value:.0f} {unit}" if unit == "B" else f"{value:.1f} {unit}"


def usable_cores() -> int:
    """Return the number of processor cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _of_machine() -> Iterator[int]:
    for line in _lines(PROC / "meminfo"):
        if line.startswith("MemAvailable:"):
            yield int(line.split()[1]) * 1024


def _of_cgroups() -> Iterator[int]:
    """Yield the bytes left in each enclosing cgroup; page cache can be reclaimed, so it does not count as used."""
    for line in _lines(PROC / "self" / "cgroup"):
        number, kinds, name = line.split(":", 2)
        if number == "0":
            root, limit_name, used_name, cached = CGROUP, "memory.max", "memory.current", "inactive_file"
        elif "memory" in kinds.split(","):
            root, limit_name, used_name = CGROUP / "memory", "memory.limit_in_bytes", "memory.usage_in_bytes"
            cached = "total_inactive_file"
        else:
            continue
        group = root / name.strip("/")
        # In a container the name is often the host's, and the group itself is mounted at the root.
        for folder in (group, *(parent for parent in group.parents if root in (parent, *parent.parents))):
            limit, used = _number(folder / limit_name), _number(folder / used_name)
            if limit is not None and used is not None:
                statistics = dict(entry.split(" ", 1) for entry in _lines(folder / "memory.stat") if " " in entry)
                yield limit - used + int(statistics.get(cached, "0"))


def _of_address_space() -> Iterator[int]:
    limit = _address_space_limit()
    if limit is not None and (pages := _lines(PROC / "self" / "statm")):
        yield limit - int(pages[0].split()[0]) * os.sysconf("SC_PAGE_SIZE")


def _address_space_limit() -> int | None:
    try:
        import resource
    except ImportError:  # on Windows
        return None
    limit = resource.getrlimit(resource.RLIMIT_AS)[0]
    return None if limit == resource.RLIM_INFINITY else limit


def _number(path: Path) -> int | None:
    """Return the number in a file; None if the file is missing or holds no number."""
    lines = _lines(path)
    return int(lines[0]) if lines and lines[0].strip().isdigit() else None


def _lines(path: Path) -> list[str]:
    try:
        return path.read_text().splitlines()
    except (OSError, ValueError):
        return []
