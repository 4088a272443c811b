"""Names of columns: how they are compared, and how they are shown."""

import unicodedata
from collections.abc import Iterable


def tidy(name: str) -> str:
    """A name as it is compared: NFC, without spaces around."""
    return unicodedata.normalize("NFC", name).strip()


def listed(names: Iterable[str]) -> str:
    """The first names, for a message."""
    every = list(names)
    return ", ".join(map(short, every[:8])) + (f" and {len(every) - 8:,} more" if len(every) > 8 else "")


def short(value: str) -> str:
    """A value from a file, quoted, its control characters shown, and cut at 40."""
    return repr(value if len(value) <= 40 else value[:37] + "...")
