"""Stdout is for the result: what a user's module prints goes to stderr."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout


@contextmanager
def prints_on_stderr() -> Iterator[None]:
    """Send to stderr what Python prints inside, and what TorchScript prints, which knows the file descriptor alone."""
    import ctypes

    sys.stdout.flush()
    kept = os.dup(1)
    os.dup2(2, 1)
    try:
        with redirect_stdout(sys.stderr):
            yield
    finally:
        ctypes.CDLL(None).fflush(None)  # C holds back what is not written to a terminal
        os.dup2(kept, 1)
        os.close(kept)
