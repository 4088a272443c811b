"""Parse and write the fractions of a split.

Nothing heavy is imported here, since the command line parses its options before torch is loaded.
"""

from collections.abc import Sequence
from numbers import Real
from typing import Any

from linreg.errors import DataError

EXPECTED = "expected a train fraction such as 0.8, train/validation/test such as 0.7/0.15/0.15, or 1"


def split_text(split: str | float | Sequence[float]) -> str:
    """Return a split as text: 0.7 and (0.7, 0.3) become "0.7", and (0.7, 0.15, 0.15) becomes "0.7/0.15/0.15".

    Raises:
        DataError: the split is neither a text nor one to three fractions.
    """
    if isinstance(split, str):
        return split
    given: list[Any] = list(split) if isinstance(split, list | tuple) else [split]
    if not 1 <= len(given) <= 3 or not all(isinstance(one, Real) and not isinstance(one, bool) for one in given):
        raise DataError(f"--split: got {str(split)[:60]!r}, {EXPECTED}")
    fractions = [float(one) for one in given]
    if len(fractions) == 2 and abs(sum(fractions) - 1) < 1e-9:
        fractions.pop()
    return "/".join("1" if one == 1 else str(one) for one in fractions)


def parse_split(text: str) -> tuple[float, ...]:
    """Parse `0.8`, `0.7/0.15/0.15` or `1` as fractions: (train, test), (train, validation, test) or (1,).

    Raises:
        DataError: the text is none of these, or the fractions do not add up to 1.
    """
    try:
        fractions = tuple(float(piece) for piece in text.split("/"))
    except ValueError:
        raise DataError(f"--split: got {text!r}, {EXPECTED}") from None
    if len(fractions) == 1 and 0 < fractions[0] <= 1:
        return fractions if fractions[0] == 1 else (fractions[0], 1 - fractions[0])
    if len(fractions) == 3 and min(fractions) > 0 and abs(sum(fractions) - 1) < 1e-9:
        return fractions
    raise DataError(f"--split: got {text!r}, {EXPECTED}")
