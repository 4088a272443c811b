"""What `inspect` finds in a file, bounded: every text is cut, every list ends, every number is one of JSON's."""

import math
from dataclasses import dataclass, field
from typing import Any

MAX_NAME = 200
"""Characters of a name that are kept."""

MAX_TEXT = 10_000
"""Characters of any other text that are kept."""

MAX_VALUES = 100_000
"""Values that are kept of each part."""

CHARACTERS_OF_A_VALUE = 50
"""A text counts as one value more for so many characters."""

ROWS = ("inputs", "outputs", "parameters")
MAX_DEPTH = 30
MAX_TENSORS = 50_000
"""Inputs, outputs and parameters of a file; no model of below 2 GB has as many."""


@dataclass(frozen=True, kw_only=True)
class Inspection:
    """What a file says of itself.

    Attributes:
        kind: `onnx`, `torchscript`, `pt2`, `c` or `state_dict`.
        bytes: its size.
        sha256: of its bytes.
        inputs: name, dtype and shape, as far as the file says.
        outputs: likewise.
        facts: opset, IR version and the like, by name.
        metadata: what exporters left, by key.
        operators: how often each stands in the file.
        parameters: name, dtype and shape.
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
    """`text`, with dots for what is beyond `limit`."""
    return text if len(text) <= limit else text[: limit - 3] + "..."


def bounded(**parts: Any) -> dict[str, Any]:
    """The parts of an inspection as plain JSON: NaN and infinities become text, what is too much is left out."""
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
    """One value; what it costs is taken from `left`."""
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
    """Inputs or outputs as metadata lists them; nothing where they are not of the form that linreg writes."""
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
