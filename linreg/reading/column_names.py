"""Normalise column names for comparison, and shorten them for messages."""

import unicodedata
from collections.abc import Iterable


def tidy(name: str) -> str:
    """Normalise a name for comparison: NFC, without surrounding white space."""
    return unicodedata.normalize("NFC", name).strip()


def listed(names: Iterable[str]) -> str:
    """Join the first eight names for a message."""
    every = list(names)
    return ", ".join(map(short, every[:8])) + (f" and {len(every) - 8:,} more" if len(every) > 8 else "")


def short(value: str) -> str:
    """Quote a value from a file, escape control characters, and cut it at 40 characters."""
    return repr(value if len(value) <= 40 else value[:37] + "...")
