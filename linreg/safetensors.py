"""Read safetensors files strictly: eight bytes with the length of the header, the header in JSON, then the numbers.

Every byte of the numbers must belong to exactly one tensor: files with holes, overlaps or duplicate names are refused.
"""

import json
import math
from typing import TYPE_CHECKING, Any, NoReturn

from linreg.config import MAX_JSON_BYTES
from linreg.errors import ModelError

if TYPE_CHECKING:
    from torch import Tensor

DTYPES = {
    "F64": "float64",
    "F32": "float32",
    "F16": "float16",
    "BF16": "bfloat16",
    "I64": "int64",
    "I32": "int32",
    "I16": "int16",
    "I8": "int8",
    "U8": "uint8",
    "BOOL": "bool",
}
"""Names of dtypes in torch, by their names in safetensors."""

MAX_SIZE = 2**40
"""Largest size of an axis; otherwise an empty tensor could claim any size."""
MAX_AXES = 64


def is_safetensors(data: bytes) -> bool:
    """Return whether the data starts like a safetensors file."""
    return len(data) >= 10 and data[8:9] == b"{" and 2 <= int.from_bytes(data[:8], "little") < 2**32


def read_safetensors(name: str, data: bytes) -> "dict[str, Tensor]":
    """Return the tensors by name, in the order in which the file stores their numbers.

    Args:
        name: name of the file, used in messages.
        data: bytes of the file.

    Raises:
        ModelError: the file is damaged, or not in the form that safetensors writes.
    """
    length = int.from_bytes(data[:8], "little")
    start = 8 + length
    if length > MAX_JSON_BYTES or start > len(data):
        raise ModelError(f"{name}: is a truncated safetensors file: {len(data)} bytes, its header has {length}")
    try:
        header = json.loads(
            data[8:start].decode(), object_pairs_hook=_unique, parse_constant=_refused, parse_float=_refused
        )
        places = sorted(
            (_place(key, entry) for key, entry in header.items() if key != "__metadata__"),
            key=lambda place: (place[3], place[4]),
        )
        return _tensors(places, memoryview(data)[start:])
    except (ValueError, RecursionError) as error:
        raise ModelError(
            f"{name}: is a damaged safetensors file: {' '.join(str(error).split())[:200]}; restore it from a copy"
        ) from None


def _place(key: str, entry: Any) -> tuple[str, str, list[int], int, int]:
    """Return the name, dtype, shape, start offset and end offset of a tensor."""
    if not isinstance(entry, dict) or set(entry) != {"dtype", "shape", "data_offsets"}:
        raise ValueError(f"{key[:60]!r} has no dtype, shape and data_offsets")
    dtype, shape, offsets = entry["dtype"], entry["shape"], entry["data_offsets"]
    if not isinstance(dtype, str) or dtype not in DTYPES:
        raise ValueError(f"{key[:60]!r} is {str(dtype)[:20]}, expected one of {', '.join(DTYPES)}")
    if not _are_sizes(shape) or len(shape) > MAX_AXES or not _are_sizes(offsets) or len(offsets) != 2:
        raise ValueError(f"{key[:60]!r} has an invalid shape or invalid data_offsets")
    return key, dtype, shape, offsets[0], offsets[1]


def _are_sizes(value: Any) -> bool:
    return isinstance(value, list) and all(type(size) is int and 0 <= size < MAX_SIZE for size in value)


def _tensors(places: list[tuple[str, str, list[int], int, int]], numbers: memoryview) -> "dict[str, Tensor]":
    import torch

    tensors: dict[str, Tensor] = {}
    position = 0
    for key, name, shape, begin, end in places:
        dtype: torch.dtype = getattr(torch, DTYPES[name])
        wanted = math.prod(shape) * dtype.itemsize
        if begin != position:
            raise ValueError(f"a hole or an overlap before {key[:60]!r}")
        if end - begin != wanted or end > len(numbers):
            raise ValueError(f"{key[:60]!r} has {end - begin} bytes, expected {wanted} of {len(numbers)}")
        position = end
        if dtype is torch.bool and set(numbers[begin:end]) - {0, 1}:
            raise ValueError(f"{key[:60]!r} has bytes that are neither true nor false")
        content = bytearray(numbers[begin:end])
        flat = torch.frombuffer(content, dtype=dtype) if content else torch.empty(0, dtype=dtype)
        try:
            tensors[key] = flat.reshape(shape)
        except RuntimeError:  # an empty tensor whose shape torch cannot hold
            raise ValueError(f"{key[:60]!r} has a shape that torch cannot hold") from None
    if position != len(numbers):
        raise ValueError(f"{len(numbers) - position} bytes that belong to no tensor")
    return tensors


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(pairs)
    if len(value) != len(pairs):
        raise ValueError("a name is duplicated")
    return value


def _refused(text: str) -> NoReturn:
    raise ValueError(f"{text[:20]} instead of an integer")
