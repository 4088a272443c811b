"""Find out what a module returns, by calling it."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from torch import nn

from export.source.arguments import Arguments, call
from export.source.axes import BATCH, Axis, Sizes, example_sizes, in_words, other_size
from export.source.inputs import Input
from export.source.outputs import flatten, output_names
from export.source.own_copy import copied
from export.source.user_code import INTERRUPTIONS, described, users_code
from export.source.wrong_sizes import advice
from linreg.errors import ExportError
from linreg.state_dict import state_sha256

FIRST_SEED = 2
ORDER_TOLERANCE = 1e-3
"""Relative to the largest output: state left by an earlier call changes more than rounding does."""

CHECK_INPUT = "check --input, and use --static with a fixed shape if it takes only one batch size"
LIMITS = "; --input '1<=NAME=int64[batch]<13' gives the limits of whole numbers"


def probe_outputs(
    module: nn.Module, arguments: Arguments, inputs: Sequence[Input], axes: Sequence[Axis]
) -> tuple[tuple[str, ...], list[dict[str, Any]]]:
    """Find the names, dtypes and shapes of the outputs by calling the module at two sizes of each dynamic axis.

    Raises:
        ExportError: the module does not run on its inputs, changes its inputs or its own state, or returns something
            different in a second call, after other calls or (in number or axes) at another size.
    """
    fresh = copied(module)
    before = state_sha256(module.state_dict())
    first = example_sizes(axes, (size for entry in inputs for size in entry.shape if isinstance(size, int)))
    changed = {axis.name: {**first, axis.name: other_size(axis, first[axis.name])} for axis in axes}
    others = {}
    try:
        _check_sizes(module, arguments, inputs, axes, first)
        result = _answer_twice(module, arguments, inputs, first, FIRST_SEED)
        for seed, (name, sizes) in enumerate(changed.items(), FIRST_SEED + 1):
            _check_sizes(module, arguments, inputs, [axis for axis in axes if axis.name == name], sizes)
            others[name] = flatten(_answer_twice(module, arguments, inputs, sizes, seed))
    except ExportError as error:
        if instead := _tuple_instead(fresh, arguments, inputs, first):
            raise ExportError(f"the module does not run on its inputs, because {instead}") from error
        raise
    if state_sha256(module.state_dict()) != before:
        raise ExportError(
            "a call of the module changes its own buffers or parameters, so no two calls are the same; "
            "keep the state outside of forward"
        )
    outputs = flatten(result)
    for name, other in others.items():
        _check_axes(name, outputs, first, other, changed[name])
    _check_order(module, fresh, arguments, inputs, [*changed.values(), first][0])
    shapes = [_shape(place, outputs, first, others, changed) for place in range(len(outputs))]
    return output_names(result), shapes


def _check_sizes(
    module: nn.Module, arguments: Arguments, inputs: Sequence[Input], axes: Sequence[Axis], sizes: Sizes
) -> None:
    """Check that the module runs at sizes of axes other than the batch, if these may be to blame when it does not.

    Raises:
        ExportError: it does not, but runs at other sizes, which the message names.
    """
    if all(axis.name == BATCH for axis in axes) or not (failure := why_not(module, arguments, inputs, sizes)):
        return
    if found := advice_on(module, arguments, inputs, axes, sizes):
        raise ExportError(f"the module does not run at {in_words(sizes)}: {failure}; {found}")


def advice_on(
    module: nn.Module, arguments: Arguments, inputs: Sequence[Input], axes: Sequence[Axis], sizes: Sizes
) -> str:
    """Say at which other sizes of `axes` a module runs that fails at `sizes`; '' if none was found."""
    constants = {size for tensor in module.state_dict().values() for size in tensor.shape}
    return advice(lambda changed: why_not(module, arguments, inputs, changed), axes, sizes, constants)


def why_not(module: nn.Module, arguments: Arguments, inputs: Sequence[Input], sizes: Sizes) -> str:
    """Return why a module does not run at some sizes; '' if it does."""
    generator = np.random.default_rng(FIRST_SEED)
    tensors = [torch.from_numpy(entry.random(sizes, 1.0, generator)) for entry in inputs]
    try:
        with torch.inference_mode():
            outputs = flatten(call(module, arguments, tensors))
    except INTERRUPTIONS:
        raise
    except BaseException as error:  # whatever a user's module raises
        return described(error)
    rows = sizes.get(BATCH)
    if rows is not None and inputs[0].shape[:1] == (BATCH,) and any(y.ndim and len(y) != rows for y in outputs):
        return f"the batch of {rows} rows becomes one of {', '.join(str(len(y)) for y in outputs if y.ndim)}"
    return ""


def _answer_twice(module: nn.Module, arguments: Arguments, inputs: Sequence[Input], sizes: Sizes, seed: int) -> Any:
    """Call a module twice on the same random inputs, check that the outputs are equal, and return them."""
    generator = np.random.default_rng(seed)
    arrays = [entry.random(sizes, 1.0, generator) for entry in inputs]
    tensors = [torch.from_numpy(array.copy()) for array in arrays]
    remedy = CHECK_INPUT + (LIMITS if any(entry.dtype.kind in "iu" for entry in inputs) else "")
    where = f"the module does not run at {in_words(sizes)}" if sizes else "the module does not run on its inputs"
    with users_code(where, remedy=remedy), torch.inference_mode():
        first = call(module, arguments, tensors)
        changed = [not np.array_equal(a, b.numpy()) for a, b in zip(arrays, tensors, strict=True)]
        second = call(module, arguments, [torch.from_numpy(array.copy()) for array in arrays])
    if any(changed):
        raise ExportError(
            f"the module changes its input {arguments.paths[changed.index(True)]!r} in place, which runtimes never "
            "do; work on a copy: x = x.clone()"
        )
    one, two = flatten(first), flatten(second)
    if len(one) != len(two) or any(a.numpy().tobytes() != b.numpy().tobytes() for a, b in zip(one, two, strict=True)):
        raise ExportError(
            "two calls of the module with equal inputs differ; a module that draws random numbers cannot be verified"
        )
    return first


def _tuple_instead(module: nn.Module, arguments: Arguments, inputs: Sequence[Input], sizes: Sizes) -> str:
    """Return what to write if a module that does not run on its tensors runs on two of them as a tuple; '' if not."""
    generator = np.random.default_rng(FIRST_SEED)
    arrays = [entry.random(sizes, 1.0, generator) for entry in inputs]
    for place, (path, entry) in enumerate(zip(arguments.paths, inputs, strict=True)):
        parts = (f"{path}.0", f"{path}.1")
        pair = replace(arguments, paths=(*arguments.paths[:place], *parts, *arguments.paths[place + 1 :]))
        tensors = [torch.from_numpy(array) for array in (*arrays[: place + 1], *arrays[place:])]
        try:
            with users_code("the module does not run"), torch.inference_mode():
                flatten(call(module, pair, tensors))
        except ExportError:
            continue
        shape = f"{entry.dtype}[{','.join(map(str, entry.shape))}]"
        return f"{path} is a tuple; give its parts: " + " ".join(f"--input '{part}={shape}'" for part in parts)
    return ""


def _check_order(
    module: nn.Module, fresh: nn.Module, arguments: Arguments, inputs: Sequence[Input], sizes: Sizes
) -> None:
    """Check that earlier calls do not change what a module returns.

    Raises:
        ExportError: the outputs of `module`, which was called before, are not those of `fresh`, which was not.
    """
    used, first = (flatten(_answer_twice(each, arguments, inputs, sizes, FIRST_SEED + 1)) for each in (module, fresh))
    for one, other in zip(first, used, strict=True):
        a, b = one.double().numpy(), other.double().numpy()
        scale = float(np.abs(b[np.isfinite(b)]).max(initial=0.0))
        if a.shape != b.shape or not np.allclose(a, b, rtol=0, atol=ORDER_TOLERANCE * scale, equal_nan=True):
            raise ExportError("the outputs of the module depend on earlier calls; keep no state between calls")


def _check_axes(
    axis: str, one: tuple[torch.Tensor, ...], first: Sizes, two: tuple[torch.Tensor, ...], second: Sizes
) -> None:
    """Check that the number of outputs and of their axes does not depend on the size of an axis.

    Raises:
        ExportError: it does.
    """
    if len(one) != len(two) or any(a.ndim != b.ndim for a, b in zip(one, two, strict=True)):
        size = "batch size" if axis == BATCH else f"size of {axis}"
        raise ExportError(
            f"the module returns {_count(one)} for a {_of(axis, first)}, and {_count(two)} for a {_of(axis, second)}; "
            f"the number of outputs and their axes must not depend on the {size}; stack the outputs along the "
            f"{axis} axis instead of looping over it, or fix its size: --static{'' if axis == BATCH else f' {axis}'}"
        )


def _of(axis: str, sizes: Sizes) -> str:
    return f"{axis} of {sizes[axis]}"


def _count(outputs: tuple[torch.Tensor, ...]) -> str:
    """Describe the number of outputs and the number of axes of each."""
    axes = ", ".join(str(output.ndim) for output in outputs)
    return f"{len(outputs)} output{'s' if len(outputs) > 1 else ''} of {axes} axes"


def _shape(
    place: int,
    outputs: tuple[torch.Tensor, ...],
    first: Sizes,
    others: Mapping[str, tuple[torch.Tensor, ...]],
    changed: Mapping[str, Sizes],
) -> dict[str, Any]:
    """Return the dtype and shape of an output.

    An axis whose size changes is named after the dynamic axis that changes it, or is None if its size is another one
    than that of the dynamic axis. With the batch as the only dynamic axis, it is always named `batch`.
    """
    sizes: list[int | str | None] = []
    for axis, size in enumerate(outputs[place].shape):
        moving = [name for name, other in others.items() if other[place].shape[axis] != size]
        equal = [
            name for name in moving if size == first[name] and others[name][place].shape[axis] == changed[name][name]
        ]
        if not moving:
            sizes.append(size)
        elif [*others] == [BATCH]:
            sizes.append(BATCH)
        else:
            sizes.append(equal[0] if moving == equal and len(equal) == 1 else None)
    return {"dtype": str(outputs[place].dtype).removeprefix("torch."), "shape": sizes}
