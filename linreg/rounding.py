"""Format numbers for people, rounded to the digits that are known."""

import math

DIGITS_OF_ERROR = 3
"""Significant digits of a standard error; the value is rounded to the same place."""
MOST_DECIMALS = 8
LARGEST_PLAIN = 1e7


def to_error(value: float, error: float | None) -> str:
    """Round a value to the last digit of its standard error: 18.6879082 with error 15.52 becomes 18.7.

    Args:
        value: finite.
        error: its standard error; with None or 0, seven significant digits are kept.
    """
    if not error:
        return f"{value:.7g}"
    decimals = DIGITS_OF_ERROR - 1 - _exponent(error)
    if decimals > MOST_DECIMALS or abs(value) >= LARGEST_PLAIN or error >= LARGEST_PLAIN:
        return f"{value:.{min(max(_exponent(value) + decimals, 0), 16)}e}"
    return f"{round(value, decimals):.{max(decimals, 0)}f}"


def p_value(p: float) -> str:
    """Format a p-value with three decimals, or `<0.001`."""
    return "<0.001" if p < 0.0005 else f"{p:.3f}"


def _exponent(value: float) -> int:
    """Return the power of ten of a number's first digit, after rounding to `DIGITS_OF_ERROR` digits."""
    if value == 0:
        return 0
    return int(f"{abs(value):.{DIGITS_OF_ERROR - 1}e}".partition("e")[2]) if math.isfinite(value) else 0
