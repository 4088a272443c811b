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


def check_arguments(module: nn.Module, inputs: Sequence[Input]) -> None:
    """See that forward takes as many arguments as there are inputs.

    Raises:
        ExportError: it takes more or fewer.
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


def probe_outputs(module: nn.Module, inputs: Sequence[Input]) -> tuple[tuple[str, ...], list[dict[str, Any]]]:
    """Output names, and the dtype and shape of each output, from calls at two batch sizes.

    Raises:
        ExportError: the module does not run on its inputs, or two calls with equal inputs differ.
    """
    results = []
    for batch in PROBE_BATCHES:
        generator = np.random.default_rng(batch)
        arguments = [torch.from_numpy(entry.random(batch, 1.0, generator)) for entry in inputs]
        try:
            with torch.inference_mode():
                first, second = module(*arguments), module(*arguments)
        except Exception as error:  # whatever a user's module raises
            raise ExportError(
                f"the module does not run at batch {batch}: {type(error).__name__}: {one_line(error)}; "
                "check --input, and use --static with a fixed shape where it takes one batch size only"
            ) from error
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
    return tuple(leaves)
