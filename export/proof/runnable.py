"""Check that a module itself runs at all sizes at which its files are verified."""

from collections.abc import Sequence
from functools import lru_cache

import torch

from export.proof.cases import seed_of
from export.source.axes import BATCH, Sizes
from export.source.outputs import flatten
from export.source.signature import LIMITS, advice_on
from export.source.source import Source
from export.source.user_code import INTERRUPTIONS, described
from linreg.errors import ExportError

FIXED_SHAPE = "use --static with a fixed shape, or check --input"


def check_sizes(source: Source, tried: Sequence[Sizes], remedy: str = "") -> None:
    """Check that the module itself runs at all sizes at which its files are verified.

    Args:
        source: the module and its inputs.
        tried: the sizes.
        remedy: the next step for the user, which ends the message. Default: the options that fix or limit the axis.

    Raises:
        ExportError: the module fails; the message lists the sizes at which it does, and the reason for the first.
    """
    _check_sizes(source, tuple(tuple(sizes.items()) for sizes in tried), remedy)


@lru_cache(maxsize=1)
def _check_sizes(source: Source, items: tuple[tuple[tuple[str, int], ...], ...], remedy: str) -> None:
    tried = [dict(sizes) for sizes in items]
    reasons = {place: reason for place, sizes in enumerate(tried) if (reason := _why_not(source, sizes))}
    if reasons:
        first, *others = reasons
        if not tried[first]:
            raise ExportError(f"the module does not run on its inputs: {reasons[first]}; {remedy or FIXED_SHAPE}")
        axis = _cause(source, tried[first])
        alone = [sizes[axis] for place in others if (sizes := tried[place]) and _cause(source, sizes) == axis]
        also = f" (nor at {', '.join(map(str, dict.fromkeys(alone)))})" if alone else ""
        fixed = FIXED_SHAPE if axis == BATCH else _range_of(source, axis, tried[first])
        if any(entry.dtype.kind in "iu" for entry in source.inputs):
            fixed += LIMITS
        raise ExportError(
            f"the module does not run at {axis} {tried[first][axis]}{also}: {reasons[first]}; {remedy or fixed}"
        )


def _range_of(source: Source, name: str, sizes: Sizes) -> str:
    """Say which sizes of an axis other than the batch the module takes."""
    axes = [axis for axis in source.axes if axis.name == name]
    found = advice_on(source.module, source.arguments, source.inputs, axes, sizes)
    return found or f"give the range of {name}, such as {name}:2..512, or fix it: --static {name}=SIZE"


def _cause(source: Source, sizes: Sizes) -> str:
    """Return the axis whose size is not that of the example; the first of them if there are several."""
    return next((name for name, size in source.sizes().items() if sizes[name] != size), next(iter(sizes)))


def _why_not(source: Source, sizes: Sizes) -> str:
    """Return why the module does not run at these sizes; '' if it does."""
    inputs = source.random_inputs(sizes, 1.0, seed_of(sizes))
    try:
        with torch.inference_mode():
            flatten(source.call(source.module, [torch.from_numpy(array) for array in inputs]))
    except INTERRUPTIONS:
        raise
    except BaseException as error:  # whatever a user's module raises
        return described(error)
    return ""
