"""Inspect a safetensors file by reading its header; no tensor is built."""

from typing import Any

from export.bounded_json import parse_json
from linreg.safetensors import DTYPES

HEADER_BYTES = 128 * 2**20
"""Memory limit for the header."""


def read_safetensors_header(data: bytes) -> dict[str, Any]:
    """Read the names, dtypes and shapes of the tensors in a file, and its metadata.

    Raises:
        ValueError: the header is cut off, is not JSON of the expected form, or needs too much memory.
    """
    length = int.from_bytes(data[:8], "little")
    if 8 + length > len(data):
        raise ValueError(f"it is cut off: {len(data)} bytes, but its header alone takes {length}")
    header = parse_json(data[8 : 8 + length], max_bytes=HEADER_BYTES)
    metadata = header.pop("__metadata__", {})
    parameters = []
    for name, entry in header.items():
        if not isinstance(entry, dict) or not isinstance(entry.get("shape"), list):
            raise ValueError(f"{name[:60]!r} has no dtype and shape")
        dtype = DTYPES.get(str(entry.get("dtype")), str(entry.get("dtype")))
        parameters.append({"name": name, "dtype": dtype, "shape": entry["shape"]})
    return {
        "facts": {"file": "safetensors"},
        "metadata": metadata if isinstance(metadata, dict) else {"__metadata__": metadata},
        "parameters": parameters,
    }
