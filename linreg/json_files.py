"""Read and write files that hold one JSON object."""

import json
import math
from collections import Counter
from pathlib import Path
from typing import Any

from linreg.config import MAX_JSON_BYTES
from linreg.errors import ModelError
from linreg.files import read_bytes, reason, write_atomic


def json_bytes(value: object) -> bytes:
    """Encode `value` as indented JSON; refuse NaN and infinity, which JSON does not have."""
    return (json.dumps(value, indent=1, ensure_ascii=False, allow_nan=False) + "\n").encode()


def write_json(path: Path, value: object) -> None:
    """Write `value` as indented JSON."""
    write_atomic(path, json_bytes(value))


def read_json(path: Path) -> dict[str, Any]:
    """Read a JSON object from a file.

    Raises:
        LinregError: the file cannot be read.
        ModelError: the file does not hold a JSON object.
    """
    return parse_json(path, read_bytes(path, limit=MAX_JSON_BYTES))


def parse_json(path: Path, data: bytes) -> dict[str, Any]:
    """Parse the contents of a file as a JSON object.

    Raises:
        ModelError: the contents are not a JSON object in UTF-8, have a duplicate key, or have a number beyond float64.
    """
    try:
        value = json.loads(
            data.decode(), object_pairs_hook=_unique_keys, parse_constant=_no_constant, parse_float=_finite
        )
    except (ValueError, RecursionError) as error:
        raise ModelError(f"{path}: is not valid JSON: {reason(error)}") from None
    if not isinstance(value, dict):
        raise ModelError(f"{path}: holds a JSON {type(value).__name__}, expected an object")
    return value


def _unique_keys(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(pairs)
    if len(value) != len(pairs):
        twice = Counter(key for key, _ in pairs).most_common(1)[0][0]
        raise ValueError(f"the key {twice[:40]!r} occurs twice")
    return value


def _no_constant(name: str) -> float:
    raise ValueError(f"{name} is not JSON")


def _finite(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise ValueError(f"{text[:40]} is beyond float64")
    return value
