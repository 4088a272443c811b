"""One task in a worker process of Ray."""

import os
import socket
from contextlib import suppress

from linreg import __version__
from linreg.engines.ray_frames import failure, load, packed, packed_failure


def perform(call: bytes, unit: bytes) -> bytes:
    """Call a function with a unit, in one thread; return its result or its exception, pickled.

    Args:
        call: version of linreg, working directory, and the pickled function and arguments.
        unit: the pickled unit.
    """
    version, folder, task = load(call)
    if version != __version__:
        return failure(
            f"--engine ray: the worker {socket.gethostname()} has linreg {__version__}, and this is linreg {version}; "
            "install the same version on every node"
        )
    with suppress(OSError):  # a node without this folder says so when it opens the table, unless that has a full path
        os.chdir(folder)
    try:
        _use_one_thread()
        function, arguments = load(task)
        return packed(function(load(unit), *arguments))
    except ModuleNotFoundError as error:
        return failure(
            f"--engine ray: the worker {socket.gethostname()} has no package {error.name}; "
            "install the same packages on every node"
        )
    except Exception as error:  # raised again in linreg's own process
        return packed_failure(error)


def _use_one_thread() -> None:
    """Let the libraries use one thread, since each core has a worker; BLAS and onnxruntime are told elsewhere."""
    import pyarrow as pa

    pa.set_cpu_count(1)
    pa.set_io_thread_count(1)
