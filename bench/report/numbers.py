"""Format durations and ratios."""

import math


def number(ratio: float) -> str:
    """Format a ratio with three decimals, one if it is large, or two digits if it is small; an open end is infinity."""
    if math.isinf(ratio):
        return "∞"
    if ratio >= 100:
        return f"{ratio:.1f}"
    return f"{ratio:.3f}" if ratio >= 0.0995 or ratio == 0 else f"{ratio:.2g}"


def duration(seconds: float) -> str:
    """Seconds with at most three digits in a unit that fits."""
    for unit, size in (("s", 1.0), ("ms", 1e-3), ("µs", 1e-6)):
        if seconds >= size * 0.9995:  # three digits round it up to `size`
            return f"{seconds / size:.3g} {unit}"
    return f"{seconds / 1e-9:.3g} ns"
