"""Flatten what a module returns into tensors with names."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import fields, is_dataclass
from typing import Any

import torch
from torch import nn
from torch.utils import _pytree

from export.source.arrays import NUMPY_DTYPES
from linreg.errors import ExportError


def flatten(outputs: Any) -> tuple[torch.Tensor, ...]:
    """Return the tensors in nested tuples, lists, dicts and dataclasses of outputs, in order, without None.

    Raises:
        ExportError: there is no output, or one is not a tensor or has a dtype or layout that NumPy arrays lack.
    """
    leaves: list[Any] = [None] if outputs is None else [leaf for _, leaf in named_leaves(outputs)]
    if not leaves:
        raise ExportError("the module returns nothing; return a tensor, or several in a tuple, list or dict")
    for leaf in leaves:
        if not isinstance(leaf, torch.Tensor):
            raise ExportError(
                f"the module returns {type(leaf).__name__}, expected tensors, in tuples, lists, dicts or dataclasses"
            )
        if leaf.is_complex():
            raise ExportError(
                f"the module returns {leaf.dtype}, which ONNX has no operators for; return two real tensors"
            )
        if leaf.is_nested or leaf.layout is not torch.strided:
            raise ExportError("the module returns a sparse or nested tensor; return a dense one: y.to_dense()")
        if leaf.dtype not in NUMPY_DTYPES:
            raise ExportError(f"the module returns {leaf.dtype}, which NumPy lacks; return y.float()")
    return tuple(leaf.detach().resolve_neg() for leaf in leaves)


def output_names(outputs: Any) -> tuple[str, ...]:
    """Return the default names of outputs: keys and fields, with the places in inner tuples, such as `states.0`.

    A single tensor is called `output`, and the tensors of a tuple or list `output_0`, `output_1` and so on.
    """
    names = [".".join(path) for path, _ in named_leaves(outputs)]
    if _parts(outputs) is not None and not isinstance(outputs, (tuple, list)):
        return tuple(names)
    return ("output",) if len(names) == 1 else tuple(f"output_{place}" for place in range(len(names)))


def is_plain(outputs: Any) -> bool:
    """Whether outputs are tensors in tuples, lists and dicts, which every format can return as they are."""
    if isinstance(outputs, torch.Tensor):
        return True
    parts = _parts(outputs)
    return parts is not None and type(outputs) in (tuple, list, dict) and all(is_plain(part) for _, part in parts)


@contextmanager
def flat_outputs(module: nn.Module) -> Iterator[None]:
    """Let a module return a tuple of tensors in place of dataclasses and None, which tie a file to code."""

    def flat(_module: nn.Module, _inputs: Any, outputs: Any) -> Any:
        return None if is_plain(outputs) else tuple(leaf for _, leaf in named_leaves(outputs))

    hook = module.register_forward_hook(flat)
    try:
        yield
    finally:
        hook.remove()


def named_leaves(outputs: Any) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Yield everything but None in nested outputs, with the keys, fields and places that lead to it."""
    parts = _parts(outputs)
    if parts is not None:
        for name, part in parts:
            for path, leaf in named_leaves(part):
                yield (name, *path), leaf
    elif outputs is not None:
        yield (), outputs


def _parts(outputs: Any) -> list[tuple[str, Any]] | None:
    """Return what outputs consist of, by name; None for a tensor or any other value."""
    if isinstance(outputs, Mapping):
        return [(str(key), value) for key, value in outputs.items()]
    if isinstance(outputs, tuple) and hasattr(outputs, "_fields"):
        return list(zip(outputs._fields, outputs, strict=True))
    if isinstance(outputs, (tuple, list)):
        return [(str(place), part) for place, part in enumerate(outputs)]
    if is_dataclass(outputs) and not isinstance(outputs, type):
        return [(field.name, getattr(outputs, field.name)) for field in fields(outputs)]
    if (node := _pytree.SUPPORTED_NODES.get(type(outputs))) is not None:  # what others have registered
        return [(str(place), part) for place, part in enumerate(node.flatten_fn(outputs)[0])]
    return None
