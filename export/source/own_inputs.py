"""The sets of the user's own inputs, on which files are verified beside random ones."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import torch
from torch import nn

from export.source.axes import BATCH, Sizes
from export.source.forward import argument_names
from export.source.given_inputs import Array, GivenInputs, listed
from export.source.inputs import Input
from export.source.outputs import flatten
from export.source.source import OwnInputs, Source
from export.source.user_code import users_code
from linreg.errors import ExportError


def inputs_of(module: nn.Module, sets: Sequence[GivenInputs], *, static: bool) -> tuple[Input, ...]:
    """Describe the inputs of a module by sets of them: names, dtypes, shapes, and the range of whole numbers.

    A mask of 0 and 1 that is right-padded in every row is described as such. An axis whose size differs between the
    sets is dynamic; axes that have the same size in each set have one name.

    Args:
        module: the module.
        sets: at least one set; the first axis of each array is the batch.
        static: fix the batch size to that of the sets; otherwise the batch is dynamic.

    Raises:
        ExportError: the sets contradict each other, or the arrays of one have different batch sizes.
    """
    named = [given.named(module) for given in sets]
    first = named[0]
    if len(first) == 1 and (wanted := argument_names(module, 1)) != tuple(first):
        raise ExportError(f"{sets[0].name}: has {listed(first)}, but the argument of forward is {wanted[0]!r}")
    for given, arrays in zip(sets, named, strict=True):
        if set(arrays) != set(first):
            raise ExportError(f"{given.name}: has {listed(arrays)}, but {sets[0].name} has {listed(first)}")
        sizes = [array.shape[0] for array in arrays.values()]
        if not static and len(set(sizes)) > 1:
            raise ExportError(
                f"{given.name}: the first axes of the tensors are {', '.join(map(str, sizes))}, expected one batch "
                "size; or fix every shape with --static"
            )
    dynamic: dict[tuple[int, ...], str] = {}
    return tuple(_described(name, [arrays[name] for arrays in named], sets, dynamic, static=static) for name in first)


def own_inputs(
    entries: Sequence[Input], sets: Sequence[GivenInputs], *, fixed: Sizes | None = None
) -> tuple[OwnInputs, ...]:
    """Check that sets are what the inputs of a module are described as, and return them in the order of the inputs.

    Args:
        entries: the inputs, with the names of forward's arguments, in their order.
        sets: the sets.
        fixed: the sizes of dynamic axes that are fixed.

    Raises:
        ExportError: a set has other names, dtypes, shapes or values.
    """
    found = []
    for given in sets:
        ordered = _ordered(given, entries)
        axes: dict[str, int] = {}
        for entry, array in zip(entries, ordered, strict=True):
            shape = tuple((fixed or {}).get(size, size) if isinstance(size, str) else size for size in entry.shape)
            _check(given.name, replace(entry, shape=shape), array, axes)
        found.append(OwnInputs(name=given.name, arrays=tuple(ordered)))
    return tuple(found)


def with_own_inputs(source: Source, own: Sequence[OwnInputs]) -> Source:
    """Return a source with the user's own inputs, in the dtypes of its inputs.

    Raises:
        ExportError: the module fails on them.
    """
    converted = tuple(
        OwnInputs(
            name=given.name,
            arrays=tuple(array.astype(entry.dtype) for array, entry in zip(given.arrays, source.inputs, strict=True)),
        )
        for given in own
    )
    for given in converted:
        with users_code(f"the module does not run on {given.name}"), torch.inference_mode():
            flatten(source.call(source.module, [torch.from_numpy(array.copy()) for array in given.arrays]))
    return replace(source, own=converted)


def sizes_of(inputs: Sequence[Input], arrays: Sequence[Array]) -> dict[str, int]:
    """Return the sizes of the dynamic axes of some inputs, by name."""
    return {
        axis: size
        for entry, array in zip(inputs, arrays, strict=True)
        for axis, size in zip(entry.shape, array.shape, strict=True)
        if isinstance(axis, str)
    }


def _ordered(given: GivenInputs, entries: Sequence[Input]) -> Sequence[Array]:
    """Return the arrays of a set in the order of the inputs."""
    names = [entry.name for entry in entries]
    if isinstance(given.arrays, tuple):
        if len(given.arrays) != len(names):
            raise ExportError(f"{given.name}: has {len(given.arrays)} arrays, expected the inputs {listed(names)}")
        return given.arrays
    if set(given.arrays) != set(names):
        raise ExportError(f"{given.name}: has {listed(given.arrays)}, expected the inputs {listed(names)}")
    return [given.arrays[name] for name in names]


def _check(name: str, entry: Input, array: Array, axes: dict[str, int]) -> None:
    """Check an array against the description of its input; `axes` holds the sizes of the dynamic axes so far.

    Raises:
        ExportError: they differ.
    """
    got = f"{name}: {entry.name!r}"
    if array.dtype != entry.dtype:
        raise ExportError(
            f"{got} is {array.dtype}, expected {entry.dtype} as described; convert it: .astype({str(entry.dtype)!r})"
        )
    expected = f"expected {entry.described()['shape']}"
    if array.ndim != len(entry.shape):
        raise ExportError(f"{got} has shape {list(array.shape)}, {expected}")
    for size, axis in zip(array.shape, entry.shape, strict=True):
        wanted = axis if isinstance(axis, int) else axes.setdefault(axis, size)
        if size != wanted:
            other = "" if isinstance(axis, int) else f" with {axis} {wanted}, as in the other inputs"
            raise ExportError(f"{got} has shape {list(array.shape)}, {expected}{other}")
    if array.dtype.kind in "iu" and not (entry.least <= array.min() and array.max() < entry.below):
        worst = array.min() if array.min() < entry.least else array.max()
        raise ExportError(
            f"{got} holds {worst}, but it is described as {entry.text()!r}; describe it with the limits of its values"
        )


def _described(
    name: str, arrays: list[Array], sets: Sequence[GivenInputs], dynamic: dict[tuple[int, ...], str], *, static: bool
) -> Input:
    """Describe one input; `dynamic` holds the names of dynamic axes beside the batch, by their size in each set."""
    first = arrays[0]
    for given, array in zip(sets, arrays, strict=True):
        if array.dtype != first.dtype or array.ndim != first.ndim or (static and array.shape != first.shape):
            one, other = (f"{each.dtype}{list(each.shape)}" for each in (array, first))
            raise ExportError(
                f"{given.name}: {name!r} is {one}, but in {sets[0].name} it is {other}; give sets of one dtype and "
                f"{'shape' if static else 'number of axes'}"
            )
    shape: list[int | str] = list(first.shape)
    if not static:
        shape[0] = BATCH
        for place in range(1, first.ndim):
            sizes = tuple(array.shape[place] for array in arrays)
            if len(set(sizes)) > 1:
                shape[place] = dynamic.setdefault(sizes, f"axis_{len(dynamic)}")
    whole = first.dtype.kind in "iu"
    least = min(int(array.min()) for array in arrays) if whole else 0
    below = max(int(array.max()) for array in arrays) + 1 if whole else 2
    prefix = first.dtype.kind in "biu" and first.ndim > 1 and all(map(_is_prefix, arrays))
    if prefix:
        least, below = 0, 2
    return Input(name=name, dtype=first.dtype, shape=tuple(shape), below=below, least=least, prefix=prefix)


def _is_prefix(array: Array) -> bool:
    """Whether every row along the last axis is some ones, at least one, and then zeros."""
    ones = array.astype(bool).sum(-1, keepdims=True)
    return bool((array == (np.arange(array.shape[-1]) < ones)).all() and (ones > 0).all())
