"""The result of inspecting a file. Its size is bounded: text is cut, lists are limited, and numbers are valid JSON."""

import math
from dataclasses import dataclass, field
from typing import Any

MAX_NAME = 200
"""Characters kept of a name."""

MAX_TEXT = 10_000
"""Characters kept of any other text."""

MAX_VALUES = 100_000
"""Values kept of each part."""

CHARACTERS_OF_A_VALUE = 50
"""Text counts as one more value for each run of this many characters."""

ROWS = ("inputs", "outputs", "parameters")
MAX_DEPTH = 30
MAX_TENSORS = 50_000
"""Limit on the inputs, outputs and parameters of a file; no model below 2 GB has as many."""


@dataclass(frozen=True, kw_only=True)
class Inspection:
    """The contents of a model file.

    Attributes:
        kind: `onnx`, `torchscript`, `pt2`, `c` or `state_dict`.
        bytes: file size.
        sha256: SHA-256 of the file.
        inputs: name, dtype and shape of each input, if the file states them.
        outputs: name, dtype and shape of each output, if the file states them.
        facts: opset, IR version and similar facts by name.
        metadata: metadata written by the exporter, by key.
        operators: number of occurrences of each operator.
        parameters: name, dtype and shape of each parameter.
    """

    kind: str
    bytes: int
    sha256: str
    inputs: list[dict[str, Any]] = field(default_factory=list)
    outputs: list[dict[str, Any]] = field(default_factory=list)
    facts: dict[str, Any] = field(default_factory=dict)
    metadata: dict[str, Any] = field(default_factory=dict)
    operators: dict[str, int] = field(default_factory=dict)
    parameters: list[dict[str, Any]] = field(default_factory=list)


def cut(text: str, limit: int = MAX_NAME) -> str:
    """Cut `text` to `limit` characters; text that was longer ends with three dots."""
    return text if len(text) <= limit else text[: limit - 3] + "..."


def bounded(**parts: Any) -> dict[str, Any]:
    """Convert the parts of an inspection to plain JSON.

    NaN and infinities become text, long text is cut, and values beyond the limits are dropped.
    """
    found = {}
    for name, value in parts.items():
        if name in ROWS:
            left = [MAX_VALUES]
            kept = [_plain(row, MAX_NAME, left, 0) for row in value if left[0] > 0]
            if len(kept) < len(value):
                parts["facts"][f"{name} not shown"] = len(value) - len(kept)
            found[name] = kept
    for name, value in parts.items():
        if name not in ROWS:
            found[name] = _plain(value, MAX_NAME if name == "operators" else MAX_TEXT, [MAX_VALUES], 0)
    return found


def _plain(value: Any, limit: int, left: list[int], depth: int) -> Any:
    """Convert one value to plain JSON, and subtract its size from `left`."""
    left[0] -= 1
    if isinstance(value, str):
        left[0] -= min(len(value), limit) // CHARACTERS_OF_A_VALUE
        return cut(value, limit)
    if value is None or isinstance(value, bool | int):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else str(value)
    if depth > MAX_DEPTH:
        return "..."
    if isinstance(value, dict):
        return {cut(str(key)): _plain(entry, limit, left, depth + 1) for key, entry in value.items() if left[0] > 0}
    if isinstance(value, list | tuple):
        return [_plain(entry, limit, left, depth + 1) for entry in value if left[0] > 0]
    return cut(str(value), limit)


def tensors(entries: Any) -> list[dict[str, Any]]:
    """Read the inputs or outputs that linreg writes into metadata; return an empty list if they have another form."""
    if not isinstance(entries, list) or len(entries) > MAX_TENSORS:
        return []
    found = []
    for entry in entries:
        if not isinstance(entry, dict) or not isinstance(entry.get("shape"), list):
            return []
        if not isinstance(entry.get("name"), str) or not isinstance(entry.get("dtype"), str):
            return []
        found.append({key: entry[key] for key in ("name", "dtype", "shape")})
    return found
