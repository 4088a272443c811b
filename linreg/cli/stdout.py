"""Keep stdout for the result: what a user's module prints goes to stderr."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout


@contextmanager
def prints_on_stderr() -> Iterator[None]:
    """Send to stderr what the block prints, whether through Python or, as TorchScript does, to the file descriptor."""
    import ctypes

    sys.stdout.flush()
    kept = os.dup(1)
    os.dup2(2, 1)
    try:
        with redirect_stdout(sys.stderr):
            yield
    finally:
        ctypes.CDLL(None).fflush(None)  # C buffers output that does not go to a terminal
        os.dup2(kept, 1)
        os.close(kept)
