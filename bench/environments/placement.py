"""Let the libraries of an environment lie elsewhere in memory in each set of processes.

Where the pages of a library lie decides how they share the caches of the processor. The kernel keeps them from one
process to the next, so two installations of one version differ by a constant of up to 1.5 %. If the kernel drops them
after a set, the next set reads them into other pages: the place is drawn anew, and the interval over sets contains it.
"""

import os
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path


def libraries_of(process_id: int) -> set[Path]:
    """Return the files whose code a process has mapped; empty where the system does not tell."""
    try:
        lines = Path(f"/proc/{process_id}/maps").read_text(errors="surrogateescape").splitlines()
    except OSError:
        return set()
    mappings = [line.split(maxsplit=5) for line in lines]
    return {Path(words[5]) for words in mappings if len(words) == 6 and "x" in words[1] and words[5].startswith("/")}


def drop_pages(files: Iterable[Path]) -> None:
    """Ask the kernel to drop the pages of files that no process has mapped any more."""
    if not hasattr(os, "posix_fadvise"):
        return
    for file in files:
        with suppress(OSError), file.open("rb") as opened:
            os.posix_fadvise(opened.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
