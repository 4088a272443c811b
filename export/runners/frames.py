"""Send arrays between two processes over a socket, in frames that are checked strictly and never unpickled.

A frame consists of eight bytes that give the length of a JSON header, then the header, then the bytes of the arrays
that the header lists.
"""

import json
import socket
import struct
import time
from collections.abc import Mapping, Sequence
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]

MAX_HEADER_BYTES = 16 * 2**20
MAX_AXES = 64
KINDS = "biufc"
"""The kinds of dtype that may be sent: booleans, integers, floating and complex numbers."""


class BrokenFrameError(Exception):
    """The other process has ended, or sent something that is not a frame."""


def send(channel: socket.socket, header: Mapping[str, object], arrays: Sequence[Array], *, within_s: float) -> None:
    """Send a frame with a header and arrays.

    Raises:
        BrokenFrameError: the other process has ended, or an array does not hold numbers.
        TimeoutError: the frame was not sent in time.
    """
    for array in arrays:
        if array.dtype.kind not in KINDS:
            raise BrokenFrameError(f"an array of {array.dtype} cannot be sent, expected numbers")
    kept = [np.asarray(array, order="C") for array in arrays]
    listed = [{"dtype": array.dtype.str, "shape": array.shape} for array in kept]
    text = json.dumps({**header, "arrays": listed}).encode()
    end = time.monotonic() + within_s
    try:
        parts = [memoryview(struct.pack(">Q", len(text)) + text)]
        parts += [array.reshape(-1).view(np.uint8).data for array in kept]
        for part in parts:
            channel.settimeout(max(end - time.monotonic(), 1e-3))
            channel.sendall(part)
    except TimeoutError:
        raise
    except OSError as error:
        raise BrokenFrameError(str(error)) from None


def receive(channel: socket.socket, *, within_s: float | None, max_bytes: int) -> tuple[dict[str, Any], list[Array]]:
    """Receive a frame, and return its header and its arrays.

    Args:
        channel: the socket to read.
        within_s: the timeout in seconds; None waits forever.
        max_bytes: the limit on the total size of the arrays.

    Raises:
        BrokenFrameError: the other process has ended, or sent something that is not a frame.
        TimeoutError: the frame did not arrive in time.
    """
    end = None if within_s is None else time.monotonic() + within_s
    (length,) = struct.unpack(">Q", _read(channel, 8, end))
    if length > MAX_HEADER_BYTES:
        raise BrokenFrameError(f"a header of {length} bytes, expected at most {MAX_HEADER_BYTES}")
    try:
        header = json.loads(_read(channel, length, end))
        plans = [_plan(entry) for entry in header["arrays"]]
    except (ValueError, KeyError, TypeError, RecursionError):
        raise BrokenFrameError("an invalid header") from None
    if (total := sum(dtype.itemsize * prod(shape) for dtype, shape in plans)) > max_bytes:
        raise BrokenFrameError(f"arrays of {total} bytes, expected at most {max_bytes}")
    arrays = [
        np.frombuffer(_read(channel, dtype.itemsize * prod(shape), end), dtype).reshape(shape) for dtype, shape in plans
    ]
    return header, arrays


def _plan(entry: Any) -> tuple[np.dtype[Any], tuple[int, ...]]:
    dtype, shape = np.dtype(str(entry["dtype"])), tuple(entry["shape"])
    if dtype.kind not in KINDS or len(shape) > MAX_AXES:
        raise ValueError("not an array of numbers")
    if any(type(size) is not int or not 0 <= size < 2**48 for size in shape):
        raise ValueError("not a shape")
    return dtype, shape


def _read(channel: socket.socket, count: int, end: float | None) -> bytearray:
    buffer = bytearray(count)
    rest = memoryview(buffer)
    while rest:
        channel.settimeout(None if end is None else max(end - time.monotonic(), 1e-3))
        try:
            done = channel.recv_into(rest)
        except TimeoutError:
            raise
        except OSError as error:
            raise BrokenFrameError(str(error)) from None
        if done == 0:
            raise BrokenFrameError("the other side has ended")
        rest = rest[done:]
    return buffer
