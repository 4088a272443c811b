"""Parse the text of --split. Light: the command line parses its options before torch is loaded."""

from linreg.errors import DataError


def parse_split(text: str) -> tuple[float, ...]:
    """Parse `0.8`, `0.7/0.15/0.15` or `1` as fractions: (train, test), (train, validation, test) or (1,).

    Raises:
        DataError: the text is none of these, or the fractions do not add up to 1.
    """
    expected = "expected a train fraction such as 0.8, train/validation/test such as 0.7/0.15/0.15, or 1"
    try:
        fractions = tuple(float(piece) for piece in text.split("/"))
    except ValueError:
        raise DataError(f"--split: got {text!r}, {expected}") from None
    if len(fractions) == 1 and 0 < fractions[0] <= 1:
        return fractions if fractions[0] == 1 else (fractions[0], 1 - fractions[0])
    if len(fractions) == 3 and min(fractions) > 0 and abs(sum(fractions) - 1) < 1e-9:
        return fractions
    raise DataError(f"--split: got {text!r}, {expected}")
