"""What a module computes from its tensors alone, which an exporter may write in place of them."""

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.multiprocessing.reductions import StorageWeakRef
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from export.source.source import Source
from export.source.user_code import INTERRUPTIONS

ROWS = 2
SEED = 20261126


@dataclass(frozen=True, kw_only=True, eq=False)
class Constant:
    """A tensor that does not depend on the inputs and meets one that does.

    Attributes:
        value: the tensor.
        keys: the keys of the state_dict that it is computed from; it may be one of them, unchanged.
    """

    value: Tensor
    keys: frozenset[str]


@dataclass(frozen=True, kw_only=True)
class UsedConstants:
    """The constants that one run used.

    Attributes:
        constants: those that operators combined with inputs, without repetition.
        touched: keys of the state_dict that any operator read.
        numbers: the numbers that operators were given, such as the eps of a LayerNorm.
    """

    constants: tuple[Constant, ...]
    touched: frozenset[str]
    numbers: frozenset[float]


def used_constants(source: Source) -> UsedConstants | None:
    """Run a module once, and return the constants that it used; None if it does not run under observation."""
    inputs = [torch.from_numpy(array.copy()) for array in source.random_inputs(source.sizes(), 1.0, SEED)]
    seen = _Watching(source.module, inputs)
    try:
        with torch.no_grad(), seen:
            source.call(source.module, inputs)
    except INTERRUPTIONS:
        raise
    except Exception:  # a fused kernel that refuses to be observed, or what a user's module raises
        return None
    return seen.found()


class _Watching(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Follows which memory depends on the inputs, and which on tensors of the state_dict alone."""

    def __init__(self, module: nn.Module, inputs: list[Tensor]) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._alive: dict[int, StorageWeakRef] = {}
        self._moving: set[int] = set()
        self._keys: dict[int, frozenset[str]] = {}
        self._constants: dict[tuple[Any, ...], Constant] = {}
        self._touched: set[str] = set()
        self._numbers: set[float] = set()
        for key, value in module.state_dict(keep_vars=True).items():
            place = self._place(value)
            self._keys[place] = self._keys.get(place, frozenset()) | {key}
        for value in inputs:
            self._moving.add(self._place(value))

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        del types
        leaves = tree_leaves((args, kwargs))
        given = [leaf for leaf in leaves if isinstance(leaf, Tensor)]
        self._numbers.update(float(leaf) for leaf in leaves if isinstance(leaf, int | float))
        moving = any(self._place(tensor) in self._moving for tensor in given)
        keys = frozenset[str]().union(*(self._keys.get(self._place(tensor), frozenset()) for tensor in given))
        self._touched |= keys
        if moving:
            for tensor in given:
                self._remember(tensor)
        result = func(*args, **(kwargs or {}))
        for tensor in tree_leaves(result):
            if isinstance(tensor, Tensor):
                place = self._place(tensor)
                if moving:
                    self._moving.add(place)
                elif keys:
                    self._keys[place] = self._keys.get(place, frozenset()) | keys
        return result

    def found(self) -> UsedConstants:
        return UsedConstants(
            constants=tuple(self._constants.values()),
            touched=frozenset(self._touched),
            numbers=frozenset(self._numbers),
        )

    def _place(self, tensor: Tensor) -> int:
        """Identify the memory of a tensor, and forget what was known if it was freed and used again."""
        storage = tensor.untyped_storage()
        place: int = storage._cdata
        known = self._alive.get(place)
        if known is None or known.expired():  # type: ignore[no-untyped-call]
            self._alive[place] = StorageWeakRef(storage)  # type: ignore[no-untyped-call]
            self._moving.discard(place)
            self._keys.pop(place, None)
        return place

    def _remember(self, tensor: Tensor) -> None:
        place = self._place(tensor)
        if place in self._moving:
            return
        view = (place, tensor.storage_offset(), tuple(tensor.shape), tensor.stride(), tensor.dtype)
        if view not in self._constants:
            self._constants[view] = Constant(value=tensor.detach(), keys=self._keys.get(place, frozenset()))
