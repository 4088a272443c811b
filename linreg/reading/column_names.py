"""Normalise column names for comparison, and shorten them for messages."""

import unicodedata
from collections.abc import Iterable


def tidy(name: str) -> str:
    """Normalise a name for comparison: NFC, without surrounding white space."""
    return unicodedata.normalize("NFC", name).strip()


def listed(names: Iterable[str], most: int = 8) -> str:
    """Join the first names for a message."""
    every = list(names)
    return ", ".join(map(short, every[:most])) + (f" and {len(every) - most:,} more" if len(every) > most else "")


def short(value: str) -> str:
    """Quote a value from a file, escape control characters, and cut it at 40 characters."""
    return repr(value if len(value) <= 40 else value[:37] + "...")
