"""What a module takes and returns, found out by asking it."""

import inspect
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.utils import _pytree

from export.inputs import Input
from linreg.errors import ExportError, one_line

PROBE_BATCHES = (2, 3)


def in_order_of_forward(module: nn.Module, inputs: Sequence[Input]) -> tuple[Input, ...]:
    """The inputs in the order of forward's arguments, found by name; a single one may be called anything.

    Raises:
        ExportError: forward takes more or fewer arguments, or others.
    """
    parameters = [
        parameter
        for parameter in inspect.signature(module.forward).parameters.values()
        if parameter.kind in (parameter.POSITIONAL_ONLY, parameter.POSITIONAL_OR_KEYWORD)
    ]
    needed = [parameter.name for parameter in parameters if parameter.default is parameter.empty]
    variadic = any(
        parameter.kind is parameter.VAR_POSITIONAL
        for parameter in inspect.signature(module.forward).parameters.values()
    )
    if not variadic and not len(needed) <= len(inputs) <= len(parameters):
        raise ExportError(
            f"forward takes {', '.join(parameter.name for parameter in parameters)}; got {len(inputs)} inputs: "
            "give one --input for each"
        )
    if variadic or len(inputs) == 1:
        return tuple(inputs)
    names = [parameter.name for parameter in parameters][: len(inputs)]
    given = {entry.name: entry for entry in inputs}
    if set(given) != set(names):
        raise ExportError(
            f"forward takes {', '.join(names)}; got inputs called {', '.join(entry.name for entry in inputs)}: "
            "call them as forward does, and rename them with --input-names"
        )
    return tuple(given[name] for name in names)


def probe_outputs(module: nn.Module, inputs: Sequence[Input]) -> tuple[tuple[str, ...], list[dict[str, Any]]]:
    """Output names, and the dtype and shape of each output, from calls at two batch sizes.

    Raises:
        ExportError: the module does not run on its inputs, or two calls with equal inputs differ.
    """
    results = []
    for batch in PROBE_BATCHES:
        generator = np.random.default_rng(batch)
        arrays = [entry.random(batch, 1.0, generator) for entry in inputs]
        arguments = [torch.from_numpy(array.copy()) for array in arrays]
        try:
            with torch.inference_mode():
                first = module(*arguments)
                changed = [not np.array_equal(a, b.numpy()) for a, b in zip(arrays, arguments, strict=True)]
                second = module(*(torch.from_numpy(array.copy()) for array in arrays))
        except Exception as error:  # whatever a user's module raises
            raise ExportError(
                f"the module does not run at batch {batch}: {type(error).__name__}: {one_line(error)}; "
                "check --input, and use --static with a fixed shape where it takes one batch size only"
            ) from error
        if any(changed):
            raise ExportError(
                f"the module changes its input {inputs[changed.index(True)].name!r} in place, which runtimes do not do "
                "to their callers; work on a copy: x = x.clone()"
            )
        for one, other in zip(flatten(first), flatten(second), strict=True):
            if one.numpy().tobytes() != other.numpy().tobytes():
                raise ExportError(
                    "two calls of the module with equal inputs differ; what draws random numbers cannot be proved"
                )
        results.append(first)
    flat = [flatten(result) for result in results]
    shapes = [_shape(one, two) for one, two in zip(*flat, strict=True)]
    if isinstance(results[0], dict) and len(results[0]) == len(flat[0]):
        return tuple(map(str, results[0])), shapes
    return ("output",) if len(flat[0]) == 1 else tuple(f"output_{place}" for place in range(len(flat[0]))), shapes


def _shape(one: torch.Tensor, two: torch.Tensor) -> dict[str, Any]:
    """Dtype and shape; an axis that follows the batch is called so."""
    sizes = [size if size == other else "batch" for size, other in zip(one.shape, two.shape, strict=True)]
    return {"dtype": str(one.dtype).removeprefix("torch."), "shape": sizes}


def flatten(outputs: Any) -> tuple[torch.Tensor, ...]:
    """The tensors of an output, whatever tuples, lists and dicts they stand in, in order.

    Raises:
        ExportError: something else than a tensor is among them.
    """
    leaves = _pytree.tree_leaves(outputs)
    for leaf in leaves:
        if not isinstance(leaf, torch.Tensor):
            raise ExportError(f"the module returns {type(leaf).__name__}, expected tensors, in tuples, lists or dicts")
        if leaf.is_complex():
            raise ExportError(
                f"the module returns {leaf.dtype}, which ONNX has no operators for; return two real tensors"
            )
    return tuple(leaves)
