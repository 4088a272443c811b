"""Find out what a module takes and returns, by inspecting its forward and calling it."""

import inspect
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.utils import _pytree

from export.source.arrays import NUMPY_DTYPES
from export.source.axes import BATCH, Axis, Sizes, example_sizes, in_words, other_size
from export.source.inputs import Input
from export.source.own_copy import copied
from export.source.user_code import users_code
from linreg.checkpoint import state_sha256
from linreg.errors import ExportError

FIRST_SEED = 2
ORDER_TOLERANCE = 1e-3
"""Relative to the largest output: state left by an earlier call changes more than rounding does."""

CHECK_INPUT = "check --input, and use --static with a fixed shape if it takes only one batch size"
LIMITS = "; --input '1<=NAME=int64[batch]<13' gives the limits of whole numbers"


def argument_names(module: nn.Module, count: int) -> tuple[str, ...]:
    """Return the names of the first `count` arguments of forward; those taken by *args are called `x0`, `x1`, ..."""
    positional = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    names = [parameter.name for parameter in _parameters_of_forward(module) if parameter.kind in positional][:count]
    return (*names, *(f"x{place}" for place in range(len(names), count)))


def in_order_of_forward(module: nn.Module, inputs: Sequence[Input]) -> tuple[Input, ...]:
    """Match inputs to forward's arguments by name, and return them in that order; a single input may have any name.

    Raises:
        ExportError: the arguments of forward have other names or another number, or one is keyword-only.
    """
    every = _parameters_of_forward(module)
    parameters = [entry for entry in every if entry.kind in (entry.POSITIONAL_ONLY, entry.POSITIONAL_OR_KEYWORD)]
    needed = [parameter.name for parameter in parameters if parameter.default is parameter.empty]
    variadic = any(entry.kind is entry.VAR_POSITIONAL for entry in every)
    by_keyword = [entry.name for entry in every if entry.kind is entry.KEYWORD_ONLY and entry.default is entry.empty]
    if by_keyword:
        raise ExportError(
            f"forward takes {', '.join(by_keyword)} by keyword only; exported files have no keyword "
            "arguments; remove the * in forward's signature"
        )
    if not variadic and not len(needed) <= len(inputs) <= len(parameters):
        raise ExportError(
            f"forward takes {', '.join(parameter.name for parameter in parameters) or 'nothing'}; "
            f"got {len(inputs)} inputs: "
            "give one --input for each"
        )
    if variadic or len(inputs) == 1:
        return tuple(inputs)
    names = [parameter.name for parameter in parameters][: len(inputs)]
    given = {entry.name: entry for entry in inputs}
    if set(given) != set(names):
        raise ExportError(
            f"forward takes {', '.join(names)}; got inputs named {', '.join(entry.name for entry in inputs)}: "
            "use the argument names of forward (--input-names renames them in the graph)"
        )
    return tuple(given[name] for name in names)


def _parameters_of_forward(module: nn.Module) -> list[inspect.Parameter]:
    """Return the parameters of forward.

    Raises:
        ExportError: the module has no forward, or its signature cannot be read.
    """
    name = type(module).__name__
    if getattr(module.forward, "__name__", "") == "_forward_unimplemented":
        raise ExportError(f"{name} has no forward, so it has no outputs; give the module whose forward calls its parts")
    try:
        return list(inspect.signature(module.forward).parameters.values())
    except (TypeError, ValueError) as error:
        raise ExportError(f"the forward of {name} has no readable signature; write it as a plain method") from error


def probe_outputs(
    module: nn.Module, inputs: Sequence[Input], axes: Sequence[Axis]
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
    result = _answer_twice(module, inputs, first, FIRST_SEED)
    others = {
        name: flatten(_answer_twice(module, inputs, sizes, seed))
        for seed, (name, sizes) in enumerate(changed.items(), FIRST_SEED + 1)
    }
    if state_sha256(module.state_dict()) != before:
        raise ExportError(
            "a call of the module changes its own buffers or parameters, so no two calls are the same; "
            "keep the state outside of forward"
        )
    outputs = flatten(result)
    for name, other in others.items():
        _check_axes(name, outputs, first, other, changed[name])
    _check_order(module, fresh, inputs, [*changed.values(), first][0])
    shapes = [_shape(place, outputs, first, others, changed) for place in range(len(outputs))]
    if isinstance(result, dict) and len(result) == len(outputs):
        return tuple(map(str, result)), shapes
    return ("output",) if len(outputs) == 1 else tuple(f"output_{place}" for place in range(len(outputs))), shapes


def _answer_twice(module: nn.Module, inputs: Sequence[Input], sizes: Sizes, seed: int) -> Any:
    """Call a module twice on the same random inputs, check that the outputs are equal, and return them."""
    generator = np.random.default_rng(seed)
    arrays = [entry.random(sizes, 1.0, generator) for entry in inputs]
    arguments = [torch.from_numpy(array.copy()) for array in arrays]
    remedy = CHECK_INPUT + (LIMITS if any(entry.dtype.kind in "iu" for entry in inputs) else "")
    where = f"the module does not run at {in_words(sizes)}" if sizes else "the module does not run on its inputs"
    with users_code(where, remedy=remedy), torch.inference_mode():
        first = module(*arguments)
        changed = [not np.array_equal(a, b.numpy()) for a, b in zip(arrays, arguments, strict=True)]
        second = module(*(torch.from_numpy(array.copy()) for array in arrays))
    if any(changed):
        raise ExportError(
            f"the module changes its input {inputs[changed.index(True)].name!r} in place, which runtimes never "
            "do; work on a copy: x = x.clone()"
        )
    one, two = flatten(first), flatten(second)
    if len(one) != len(two) or any(a.numpy().tobytes() != b.numpy().tobytes() for a, b in zip(one, two, strict=True)):
        raise ExportError(
            "two calls of the module with equal inputs differ; a module that draws random numbers cannot be verified"
        )
    return first


def _check_order(module: nn.Module, fresh: nn.Module, inputs: Sequence[Input], sizes: Sizes) -> None:
    """Check that earlier calls do not change what a module returns.

    Raises:
        ExportError: the outputs of `module`, which was called before, are not those of `fresh`, which was not.
    """
    used, first = (flatten(_answer_twice(each, inputs, sizes, FIRST_SEED + 1)) for each in (module, fresh))
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
            f"{axis} axis"
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


def flatten(outputs: Any) -> tuple[torch.Tensor, ...]:
    """Return the tensors in nested tuples, lists and dicts of outputs, in order.

    Raises:
        ExportError: there is no output, or one is not a tensor or has a dtype or layout that NumPy arrays lack.
    """
    leaves = _pytree.tree_leaves(outputs)
    if not leaves:
        raise ExportError("the module returns nothing; return a tensor, or several in a tuple, list or dict")
    for leaf in leaves:
        if not isinstance(leaf, torch.Tensor):
            raise ExportError(f"the module returns {type(leaf).__name__}, expected tensors, in tuples, lists or dicts")
        if leaf.is_complex():
            raise ExportError(
                f"the module returns {leaf.dtype}, which ONNX has no operators for; return two real tensors"
            )
        if leaf.is_nested or leaf.layout is not torch.strided:
            raise ExportError("the module returns a sparse or nested tensor; return a dense one: y.to_dense()")
        if leaf.dtype not in NUMPY_DTYPES:
            raise ExportError(f"the module returns {leaf.dtype}, which NumPy lacks; return y.float()")
    return tuple(leaf.detach().resolve_neg() for leaf in leaves)
