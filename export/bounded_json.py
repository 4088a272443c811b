"""Parse JSON of somebody else's, within memory that is known before it is parsed."""

import json
from typing import Any

BYTES_OF_AN_OBJECT = 232
BYTES_OF_A_LIST = 88
BYTES_OF_A_VALUE = 60
"""At most, in CPython, with their place in what holds them."""


def parse_json(data: bytes, *, max_bytes: int) -> Any:
    """Parse JSON whose text and values take at most `max_bytes`, estimated from above.

    Raises:
        ValueError: it is not JSON, takes more, or is nested too deeply.
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
