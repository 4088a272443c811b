"""Logarithmic axes and their ticks."""

import math
from collections.abc import Iterator
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Axis:
    """A logarithmic axis.

    Attributes:
        low: value at the low end.
        high: value at the high end.
        ticks: values that are labelled.
    """

    low: float
    high: float
    ticks: tuple[float, ...]

    def place(self, value: float) -> float:
        """Return the position of a value, from 0 at the low end to 1 at the high end; clip values beyond an end."""
        if value <= self.low:
            return 0.0
        return min(math.log(value / self.low) / math.log(self.high / self.low), 1.0)

    def beyond(self, value: float) -> bool:
        """Return whether a value lies outside the axis, as the open end of an interval always does."""
        return not self.low <= value <= self.high


def axis_around(low: float, high: float) -> Axis:
    """Return an axis from `low` to `high` with some room at both ends."""
    room = (high / low) ** 0.06
    low, high = low / room, high * room
    return Axis(low=low, high=high, ticks=_ticks(low, high))


def batch_axis(batches: list[int]) -> Axis:
    """Return an axis for ascending batch sizes, whose labels are at least a tenth of its length apart."""
    ticks = [float(batches[0])]
    room = 0.1 * math.log(batches[-1] / batches[0])
    for batch in batches[1:-1]:
        if math.log(batch / ticks[-1]) >= room and math.log(batches[-1] / batch) >= room:
            ticks.append(batch)
    return Axis(low=batches[0], high=batches[-1], ticks=(*ticks, float(batches[-1])))


def round_top(value: float) -> float:
    """Return the smallest number of at least `value` that is 1, 1.5, 2, 3, 5 or 7.5 times a power of ten."""
    decade = 10.0 ** math.floor(math.log10(value)) if value > 0 else 1.0
    return next(factor * decade for factor in (1, 1.5, 2, 3, 5, 7.5, 10) if factor * decade >= value * (1 - 1e-9))


def _ticks(low: float, high: float) -> tuple[float, ...]:
    """Return round numbers between `low` and `high`, on the coarsest grid that has at least four of them there."""
    found: tuple[float, ...] = ()
    for candidates in _candidates(low, high):
        found = tuple(value for value in candidates if low <= value <= high)
        if len(found) >= 4:
            break
    return found


def _candidates(low: float, high: float) -> Iterator[list[float]]:
    decades = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    for factors in ((1,), (1, 2, 5)):
        yield [float(f"{factor}e{decade}") for decade in decades for factor in factors]
    for decade in range(decades[-1], decades[-1] - 6, -1):
        for factor in (5, 2, 1):
            step = float(f"{factor}e{decade}")
            # rounded through text, since 3 * 0.1 is not 0.3
            yield [float(f"{place * step:.9g}") for place in range(math.ceil(low / step), math.floor(high / step) + 1)]
