"""Format durations and ratios."""

import math


def number(ratio: float) -> str:
    """Format a ratio: three decimals, one decimal from 100 on, two significant digits below 0.1, and ∞ for infinity."""
    if math.isinf(ratio):
        return "∞"
    if ratio >= 100:
        return f"{ratio:.1f}"
    return f"{ratio:.3f}" if ratio >= 0.0995 or ratio == 0 else f"{ratio:.2g}"


def duration(seconds: float) -> str:
    """Format seconds with at most three significant digits, in the unit that suits their size."""
    for unit, size in (("s", 1.0), ("ms", 1e-3), ("µs", 1e-6)):
        if seconds >= size * 0.9995:  # three digits round it up to `size`
            return f"{seconds / size:.3g} {unit}"
    return f"{seconds / 1e-9:.3g} ns"


def percent(fraction: float) -> str:
    """Return a small fraction as a percentage with two significant digits."""
    return f"{float(f'{fraction * 100:.2g}'):g} %"
