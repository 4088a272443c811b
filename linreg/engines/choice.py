"""Choose the engine that runs the passes over a table: threads of this process, or a Ray cluster."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from linreg.config import Engine
from linreg.engines import threads
from linreg.errors import OptionError
from linreg.reading.stream import TableStream

Run = Callable[..., Iterator[Any]]
"""As `linreg.engines.threads.run`."""


@contextmanager
def running(engine: Engine, address: str | None = None, workers: int | None = None) -> Iterator[Run]:
    """Start an engine, and stop it at the end.

    Args:
        engine: the engine.
        address: as for `linreg.engines.ray_cluster.ray_cluster`.
        workers: as for `linreg.engines.ray_cluster.ray_cluster`.

    Raises:
        ModuleNotFoundError: ray is not installed.
        LinregError: there is no such cluster, or Ray does not start.
    """
    if engine is Engine.THREADS:
        yield threads.run
        return
    from linreg.engines.ray_cluster import ray_cluster

    with ray_cluster(address, workers) as cluster:
        yield cluster.run


def check_parquet_files(table: object, origin: str) -> None:
    """Check that the worker processes of a cluster can open a table, and begin to read at any row.

    Raises:
        OptionError: they cannot.
    """
    if not (isinstance(table, TableStream) and table.is_parquet):
        raise OptionError(
            f"{origin}: --engine ray reads Parquet files, of which each worker takes other rows, and this is something "
            "else; write it as Parquet files, or leave --engine out"
        )
