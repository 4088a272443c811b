"""Reduce results in an order that depends on nothing but their number."""

from collections.abc import Callable, Iterable
from typing import TypeVar

Item = TypeVar("Item")


def reduced(items: Iterable[Item], combine: Callable[[Item, Item], Item]) -> Item:
    """Combine neighbours in pairs, then neighbouring pairs, and so on; at most one item of each level is held.

    Reducing runs of 2^k items first and then their results gives the same tree, so it does not matter how the items are
    distributed over workers. An item without a neighbour goes up to the next level.

    Raises:
        ValueError: there are no items.
    """
    waiting: list[tuple[int, Item]] = []
    for item in items:
        level = 0
        while waiting and waiting[-1][0] == level:
            item = combine(waiting.pop()[1], item)
            level += 1
        waiting.append((level, item))
    if not waiting:
        raise ValueError("nothing to reduce")
    result = waiting.pop()[1]
    while waiting:
        result = combine(waiting.pop()[1], result)
    return result
