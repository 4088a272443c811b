"""Parse untrusted JSON within a memory limit that is checked before parsing."""

import json
from typing import Any

BYTES_OF_AN_OBJECT = 232
BYTES_OF_A_LIST = 88
BYTES_OF_A_VALUE = 60
"""Upper bounds for CPython, including the reference from the container."""


def parse_json(data: bytes, *, max_bytes: int) -> Any:
    """Parse JSON, unless an upper estimate of the memory for its text and values exceeds `max_bytes`.

    Raises:
        ValueError: the data is not JSON, may need more memory than that, or is nested too deeply.
    """
    wanted = (
        len(data) * (1 if data.isascii() else 4)
        + BYTES_OF_AN_OBJECT * data.count(b"{")
        + BYTES_OF_A_LIST * data.count(b"[")
        + BYTES_OF_A_VALUE * (data.count(b",") + data.count(b":"))
    )
    if wanted > max_bytes:
        raise ValueError(f"its JSON takes {wanted} bytes in memory, expected at most {max_bytes}")
    try:
        return json.loads(data.decode(errors="backslashreplace"))
    except RecursionError:
        raise ValueError("its JSON is nested too deeply") from None
