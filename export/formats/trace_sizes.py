"""Tell the size checks of a traced module from control flow that depends on its data or on the size of the batch."""

import sys
import warnings
from pathlib import Path
from types import FrameType
from typing import Any

import torch
from torch import Tensor
from torch.jit._trace import TracerWarning
from torch.overrides import TorchFunctionMode
from torch.utils._pytree import tree_leaves

CONVERSIONS = (Tensor.__bool__, Tensor.__int__, Tensor.__float__, Tensor.__index__, Tensor.item)
"""What turns a tensor into a Python value, with a tracing warning."""

CONSTANT_RESULTS = "results are registered as constants"
"""Part of the tracing warning for torch.tensor, as_tensor and from_numpy."""

TORCH_FOLDER = str(Path(torch.__file__).parent)
Place = tuple[str, int]
"""A file and a line."""

SHAPE = Tensor.shape.__get__  # type: ignore[attr-defined]


class Sizes(TorchFunctionMode):
    """Find the lines that turn fixed sizes into Python values, and those with other tracing warnings.

    While torch traces, the sizes of a tensor are tensors. A size is fixed if the same call gave the same size at
    another batch size.

    Args:
        other: the sizes that a trace at another batch size saw; None for that trace itself.

    Attributes:
        seen: the sizes that each call returned.
        of_sizes: lines that turn fixed sizes, and what follows from these alone, into Python values.
        of_others: lines of which torch warns for another reason.
    """

    def __init__(self, other: "list[tuple[int, ...]] | None" = None) -> None:
        super().__init__()
        self.seen: list[tuple[int, ...]] = []
        self.of_sizes: set[Place] = set()
        self.of_others: set[Place] = set()
        self._other = other
        self._fixed: dict[int, Tensor] = {}  # by id; the tensors are kept, so that no id is used twice

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        del types
        place = _caller()
        given = [leaf for leaf in tree_leaves((args, kwargs)) if isinstance(leaf, Tensor)]
        if func in (SHAPE, Tensor.size):
            return self._sizes(func(*args, **(kwargs or {})))
        fixed = bool(given) and all(id(tensor) in self._fixed for tensor in given)
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always", category=TracerWarning)
            result = func(*args, **(kwargs or {}))
        if fixed and func in CONVERSIONS:
            self.of_sizes.add(place)
            return result
        if any(entry.filename == __file__ and CONSTANT_RESULTS not in str(entry.message) for entry in caught):
            self.of_others.add(place)
        if fixed:
            self._keep(result)
        return result

    def _sizes(self, result: Any) -> Any:
        """Record the sizes that a call returned: one, or one for each axis."""
        parts = list(result) if isinstance(result, tuple) else [result]
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            sizes = tuple(map(int, parts))
        self.seen.append(sizes)
        place = len(self.seen) - 1
        if self._other is not None and place < len(self._other) and len(self._other[place]) == len(sizes):
            for part, size, other in zip(parts, sizes, self._other[place], strict=True):
                if size == other:
                    self._keep(part)
        return tuple(parts) if isinstance(result, tuple) else result

    def _keep(self, result: Any) -> None:
        self._fixed |= {id(leaf): leaf for leaf in tree_leaves(result) if isinstance(leaf, Tensor)}

    def explains(self, entry: warnings.WarningMessage) -> bool:
        """Whether a warning of the trace is about fixed sizes alone."""
        place = (entry.filename, entry.lineno)
        return CONSTANT_RESULTS not in str(entry.message) and place in self.of_sizes and place not in self.of_others


def _caller() -> Place:
    """The line outside of torch that called it."""
    frame: FrameType | None = sys._getframe(2)
    while frame is not None and frame.f_back is not None and frame.f_code.co_filename.startswith(TORCH_FOLDER):
        frame = frame.f_back
    assert frame is not None
    return frame.f_code.co_filename, frame.f_lineno
