"""Find the sizes of its dynamic axes at which a module runs, by running it, and say what to write instead."""

import math
import re
import time
from collections.abc import Callable, Iterable, Mapping, Sequence

from export.source.axes import BATCH, Axis, Sizes

Why = Callable[[Sizes], str]
"""Returns why the module does not run at some sizes; '' if it does."""

CANDIDATES = (*range(1, 17), 20, 21, 24, 28, 32, 48, 49, 56, 64, 96, 112, 128, 160, 192, 196, 224, 256, 299, 384, 512)
STEPS = (2, 3, 4, 5, 7, 8, 14, 16, 32, 64)
LARGEST = 512
LIMIT_S = 10.0
MUST_MATCH = re.compile(r"\((\d+)\) must match .*?\((\d+)\)")
"""torch's message about two sizes that differ."""


def advice(why: Why, axes: Sequence[Axis], sizes: Sizes, constants: Iterable[int]) -> str:
    """Say which sizes of which axes a module takes, after it failed at `sizes`.

    Other sizes are tried for one axis, then for all axes together, for at most `LIMIT_S`.

    Args:
        why: runs the module.
        axes: the axes that may be wrong; the batch axis is left as it is.
        sizes: where it failed.
        constants: sizes that the module may want, such as those of its parameters.

    Returns:
        What is wrong and what to write instead; '' if nothing was found.
    """
    end_s = time.perf_counter() + LIMIT_S
    candidates = sorted({*CANDIDATES, *(size for size in constants if 1 <= size <= 2 * LARGEST)})

    def runs(changed: Sizes) -> bool:
        return time.perf_counter() < end_s and not why({**sizes, **changed})

    suspects = [axis for axis in axes if axis.name != BATCH]
    alone = ""
    for axis in suspects:
        tried = [size for size in candidates if axis.nearest(size) == size]
        found = [size for size in tried if runs({axis.name: size})]
        if 2 in tried and 2 not in found and found[1:]:
            found = [size for size in found if size > 1]  # a size of 1 is broadcast
        if found:
            alone = _of_one(axis, found, tried, runs)
            if not (len(found) == 1 and found[0] in sizes.values()):
                return alone
            break  # it equals the size of another axis
    return (_of_several(why, runs, suspects, sizes, candidates) if len(suspects) > 1 else "") or alone


def _of_one(axis: Axis, found: list[int], tried: list[int], runs: Callable[[Sizes], bool]) -> str:
    """Say which sizes of one axis the module takes, given those at which it ran."""
    name = axis.name
    if len(found) == 1:
        return f"axis {name!r} must be {found[0]}: write the size, or fix it: --static {name}={found[0]}"
    step = math.gcd(*found)
    between = [size for size in tried if found[0] <= size <= found[-1] and size % step == 0]
    if step > max(1, axis.step) and found == between:
        most = max(found[-1], 16 * step) if found[-1] == max(size for size in tried if size % step == 0) else found[-1]
        return f"axis {name!r} must be a multiple of {step}: write {name}:{found[0]}..{most}*{step}"
    largest = found[-1]
    while largest < tried[-1] and (following := axis.nearest(largest + 1)) != largest and runs({name: following}):
        largest = following
    least, most = found[0], largest if largest < tried[-1] else max(LARGEST, largest)
    if [size for size in tried if least <= size <= largest] != found:
        return f"it runs at {name} {', '.join(map(str, found[:8]))}: give the range of {name}, or --static {name}=SIZE"
    step_text = "" if axis.step == 1 else f"*{axis.step}"
    return f"axis {name!r} must be {least} to {most}: write {name}:{least}..{most}{step_text}"


def _of_several(why: Why, runs: Callable[[Sizes], bool], axes: list[Axis], sizes: Sizes, candidates: list[int]) -> str:
    names = [axis.name for axis in axes]
    listed = " and ".join(map(repr, names))
    for step in STEPS:
        if all(runs({name: (place + first) * step for place, name in enumerate(names)}) for first in (1, 2)):
            ranges = ",".join(f"{name}:{step}..{max(LARGEST, step)}*{step}" for name in names)
            return f"axes {listed} must be multiples of {step}: write {ranges}"
    if found := [size for size in candidates if size > 1 and runs(dict.fromkeys(names, size))]:
        if len(found) == 1:
            return _exactly(dict.fromkeys(names, found[0]))
        step = math.gcd(*found)
        text = (
            names[0] if step == 1 and found[0] == 1 else f"{names[0]}:{found[0]}..{LARGEST}" + f"*{step}" * (step > 1)
        )
        return f"axes {listed} must be equal: give them one name, {text}"
    wanted = dict(sizes)
    for _ in names:
        match = MUST_MATCH.search(why(wanted))
        if match is None:
            break
        one, other = int(match[1]), int(match[2])
        moved = next(((name, b) for a, b in ((one, other), (other, one)) for name in names if wanted[name] == a), None)
        if moved is None:
            break
        wanted[moved[0]] = moved[1]
        if runs(wanted):
            return _exactly({name: wanted[name] for name in names if wanted[name] != sizes[name]})
    return ""


def _exactly(sizes: Mapping[str, int]) -> str:
    are = ", ".join(f"axis {name!r} must be {size}" for name, size in sizes.items())
    return f"{are}: write the sizes, or fix them: --static {','.join(f'{name}={size}' for name, size in sizes.items())}"
