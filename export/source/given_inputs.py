"""Tensors and arrays of the user's own, as sets of inputs."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from export.source.forward import argument_names
from export.source.input_text import DTYPES
from linreg.errors import ExportError
from linreg.escaping import printable

Array = NDArray[Any]

SHOWN = 60
"""The number of characters of a name from a file that a message shows."""


@dataclass(frozen=True, kw_only=True, eq=False)
class GivenInputs:
    """One set of inputs, as the user gave it.

    Attributes:
        name: where it is from, which begins messages, such as `batch.npz`.
        arrays: the arrays by the names of forward's arguments, or in their order.
    """

    name: str
    arrays: Mapping[str, Array] | tuple[Array, ...]

    def named(self, module: nn.Module) -> dict[str, Array]:
        """Return the arrays by the names of the arguments of forward."""
        if isinstance(self.arrays, tuple):
            return dict(zip(argument_names(module, len(self.arrays)), self.arrays, strict=True))
        return dict(self.arrays)


def given_inputs(value: Any, name: str) -> list[GivenInputs]:
    """Turn tensors into sets of inputs.

    Args:
        value: a tensor, a tuple or list of tensors in the order of forward's arguments, a dict of tensors by their
            names, or a list of such tuples and dicts, each of which is a set.
        name: where the tensors are from, which begins messages.

    Raises:
        ExportError: a value is not a dense tensor, has no axis, is empty or has an unsupported dtype.
    """
    if isinstance(value, Tensor):
        return [GivenInputs(name=name, arrays=(_array(value, name, "tensor 0"),))]
    if isinstance(value, Mapping):
        return [GivenInputs(name=name, arrays=_by_name(value, name))]
    if not isinstance(value, list | tuple) or not value:
        got = "nothing" if isinstance(value, list | tuple) else type(value).__name__
        raise ExportError(f"{name}: got {got}, expected a torch.Tensor, or a list of them, or tensors by name")
    if any(isinstance(item, Mapping | list | tuple) for item in value):
        return several_sets(value, name)
    arrays = tuple(_array(item, name, f"tensor {place}", f"item {place}") for place, item in enumerate(value))
    return [GivenInputs(name=name, arrays=arrays)]


def several_sets(values: Iterable[Any], name: str) -> list[GivenInputs]:
    """Turn an iterable into sets of inputs, one for each item.

    Raises:
        ExportError: an item is no set of inputs.
    """
    sets: list[GivenInputs] = []
    for place, value in enumerate(values, start=1):
        found = given_inputs(value, f"{name}, set {place}")
        if len(found) > 1:
            raise ExportError(f"{name}, set {place}: is a list of sets, expected one set")
        sets += found
    return sets


def checked_array(array: Array, name: str, which: str) -> Array:
    """Check an array that is to be an input, and return it contiguous and in this machine's byte order.

    Raises:
        ExportError: it has no axis, is empty or has an unsupported dtype.
    """
    if array.dtype.name not in DTYPES:
        raise ExportError(f"{name}: {which} is {printable(array.dtype.name)}, expected one of {', '.join(DTYPES)}")
    if 0 in array.shape or not array.ndim:
        raise ExportError(
            f"{name}: {which} has shape {list(array.shape)}, expected the batch as its first axis and no "
            "axis of size 0, such as torch.randn(2, 16)"
        )
    return np.ascontiguousarray(array, dtype=array.dtype.newbyteorder("="))


def _by_name(tensors: Mapping[Any, Any], name: str) -> dict[str, Array]:
    arrays = {}
    for key, tensor in tensors.items():
        if not isinstance(key, str):
            raise ExportError(f"{name}: has a key of type {type(key).__name__}, expected the names of arguments")
        arrays[key] = _array(tensor, name, _shown(key))
    if not arrays:
        raise ExportError(f"{name}: holds no tensor, expected one for each argument of forward")
    return arrays


def _array(tensor: Any, name: str, which: str, item: str = "") -> Array:
    if not isinstance(tensor, Tensor):
        raise ExportError(f"{name}: {item or which} is {type(tensor).__name__}, expected a torch.Tensor")
    dtype = str(tensor.dtype).removeprefix("torch.")
    if dtype not in DTYPES:
        raise ExportError(f"{name}: {which} is {dtype}, expected one of {', '.join(DTYPES)}")
    if tensor.layout is not torch.strided or tensor.is_meta or tensor.is_nested:
        raise ExportError(f"{name}: {which} is not dense; give a dense tensor")
    return checked_array(tensor.detach().cpu().resolve_neg().numpy(), name, which)


def listed(names: Iterable[str]) -> str:
    """Return names for a message, escaped and cut."""
    return ", ".join(map(_shown, names))


def _shown(name: str) -> str:
    return f"'{printable(name[:SHOWN])}'"
