"""What the tests run in worker processes of Ray, which import this file."""

import os
import signal
import time
from pathlib import Path

import numpy as np
import pyarrow as pa

from linreg.errors import DataError


def slow_square(number: int, seconds: float) -> tuple[int, int]:
    """The square, and the process that computed it."""
    time.sleep(seconds)
    return number * number, os.getpid()


def refuse(number: int) -> int:
    """Refuse the number 2 as a reader of tables does."""
    if number == 2:
        raise DataError("table.parquet: row 3: 'x' is no number\nin a second line")
    return number


def fail(_number: int) -> None:
    """Fail as a bug does."""
    raise ZeroDivisionError("a bug")


def lack(_number: int) -> None:
    """Fail as on a node that has fewer packages."""
    raise ModuleNotFoundError("No module named 'onnxruntime'", name="onnxruntime")


class OddError(Exception):
    """An error that cannot be unpickled."""

    def __init__(self, one: str, other: str) -> None:
        super().__init__(one + other)


def fail_oddly(_number: int) -> None:
    """Raise what no other process can read."""
    raise OddError("one", "other")


def die(_number: int) -> None:
    """End as a worker does that the kernel kills."""
    os.kill(os.getpid(), signal.SIGKILL)


def die_once(number: int, folder: Path) -> int:
    """End so the first time, for each number; count the calls in a folder."""
    calls = len(list(folder.glob(f"{number}.*")))
    (folder / f"{number}.{calls}").touch()
    if not calls:
        os.kill(os.getpid(), signal.SIGKILL)
    return number


def surroundings(_number: int) -> dict[str, object]:
    """What a task sees: its folder, its packages, and how many threads each library uses."""
    import linreg

    np.zeros((600, 600)) @ np.zeros((600, 600))  # BLAS starts its threads now
    return {
        "folder": str(Path.cwd()),
        "linreg": linreg.__file__,
        "arrow": (pa.cpu_count(), pa.io_thread_count()),
        "environment": {name: os.environ[f"{name}_NUM_THREADS"] for name in ("OMP", "OPENBLAS", "MKL")},
    }
