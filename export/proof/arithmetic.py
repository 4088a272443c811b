"""Run a module in float64, or with random rounding errors added to every operator."""

import random
from functools import partial
from typing import Any

import torch
from torch import Tensor
from torch._ops import HigherOrderOperator
from torch.utils._python_dispatch import TorchDispatchMode, _disable_current_modes
from torch.utils._pytree import tree_map

from export.proof.exactness import Exactness, name_of
from linreg.errors import ExportError

NARROW = (torch.float32, torch.float16, torch.bfloat16)

aten = torch.ops.aten
FUNCTION_UNITS = 4
"""Units of rounding by which these functions are perturbed. The error of onnxruntime 1.32 over all float32 from -30 to
30 is up to 1.4 units of 2^-23 for sigmoid and 2.7 for tanh."""

OF_UNIT_RANGE = (aten.sigmoid, aten.tanh, aten.erf)
TIMES_UNIT_RANGE = (aten.gelu, aten.silu)
RECURRENT = (
    *(aten.lstm_cell, aten.gru_cell, aten.rnn_tanh_cell, aten.rnn_relu_cell),
    *(aten.lstm, aten.gru, aten.rnn_tanh, aten.rnn_relu),
)
"""Operators of several steps, each of which is perturbed: a small sigmoid may be multiplied by a large state."""

MASK = 2.0**127
"""Elements from here on, in the last power of two of float32, are written for a mask, such as `torch.finfo(dtype).min`:
they are exact. Perturbed, they would tell apart the elements of a row that is masked as a whole."""

LARGE_ELEMENTS = 2**24
"""A parameter with so many elements (128 MB in float64) stays as it is, and is converted in blocks while it is used."""

BLOCK_ELEMENTS = 2**20
"""Elements of a block: 8 MB in float64, which a processor's cache may hold."""


def is_large(tensor: Tensor) -> bool:
    """Whether a tensor is not converted to float64 as a whole."""
    return tensor.dtype in NARROW and tensor.numel() >= LARGE_ELEMENTS


PERIOD = 131071
"""Draws are made once and used again after so many elements. It is a prime, so that the rows of a matrix get different
draws, and a table of it stays in a processor's cache: drawing anew for millions of weights takes longer than a run."""


class InFloat64(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Convert every narrower tensor and dtype argument to float64, so that a module with casts stays in float64.

    Raises:
        ExportError: the module uses nested tensors, or a higher-order operator other than torch.cond.
    """

    supports_higher_order_operators = True

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        del types
        if isinstance(func, HigherOrderOperator):
            return self._branch(func, *args)
        if func.overloadpacket is aten._nested_tensor_from_mask_left_aligned:
            raise ExportError(
                "the module may pack its rows into nested tensors, so eager outputs 0 at padded positions, where "
                "exported files output something else; create nn.TransformerEncoder with enable_nested_tensor=False"
            )
        large = [value for value in args if isinstance(value, Tensor) and is_large(value)]
        if large and (result := self._in_blocks(func, args, kwargs or {})) is not None:
            return result
        wide_args, wide_kwargs = tree_map(self._widen, (args, kwargs or {}))
        return func(*wide_args, **wide_kwargs)

    def _in_blocks(self, func: Any, args: Any, kwargs: Any) -> Tensor | None:
        """Run an operator on a large parameter without a whole copy of it in float64; None if that is not possible."""
        if func.is_view:
            view: Tensor = func(*args, **kwargs)
            return view
        if func.overloadpacket is aten.embedding:
            with _disable_current_modes():
                chosen = func(*args, **kwargs)
            return chosen.double()  # type: ignore[no-any-return]
        if func.overloadpacket is aten.linear and args[1].ndim == 2:
            return self._columns(func, args, kwargs, weight=1, bias=2, axis=0)
        if func.overloadpacket is aten.addmm:
            return self._columns(func, args, kwargs, weight=2, bias=0, axis=1)
        if func.overloadpacket in (aten.mm, aten.matmul) and args[1].ndim == 2 and not is_large(args[0]):
            return self._columns(func, args, kwargs, weight=1, bias=2, axis=1)
        return None

    def _columns(self, func: Any, args: Any, kwargs: Any, *, weight: int, bias: int, axis: int) -> Tensor:
        """Compute the columns of a product in blocks.

        Args:
            func: the operator.
            args: its arguments.
            kwargs: its arguments by name.
            weight: the place of the large matrix among `args`.
            bias: the place of a bias, whose last axis is that of the columns; it may be missing.
            axis: the axis of the matrix whose elements belong to one column of the product.
        """
        matrix, count = args[weight], args[weight].shape[axis]
        wide: list[Any] = list(args)
        for place, value in enumerate(args):
            if place != weight:
                wide[place] = tree_map(self._widen, value)
                if isinstance(value, Tensor):
                    wide[place].perturbed = None
        step = max(1, BLOCK_ELEMENTS * count // matrix.numel())
        result: Tensor | None = None
        for start in range(0, count, step):
            length = min(step, count - start)
            with _disable_current_modes():  # a conversion is exact
                wide[weight] = matrix.narrow(axis, start, length).double()
                if len(args) > bias and args[bias] is not None and args[bias].shape[-1:] == (count,):
                    wide[bias] = args[bias].narrow(-1, start, length).double()
            part = func(*wide, **kwargs)
            if result is None:
                result = part.new_empty((*part.shape[:-1], count))
            with _disable_current_modes():
                result.narrow(-1, start, length).copy_(part)
        assert result is not None, "a large matrix has columns"
        return result

    def _branch(self, func: Any, *args: Any) -> Any:
        """Run the chosen branch of torch.cond in float64."""
        if func is not torch.ops.higher_order.cond:
            raise ExportError(
                f"the module uses torch's {func.name()}, which cannot be run in float64, so exported files could not "
                "be verified; write a loop over a fixed number of steps, or torch.cond"
            )
        condition, then, otherwise, operands = args
        with self:
            return (then if condition else otherwise)(*operands)

    @staticmethod
    def _widen(value: Any) -> Any:
        if isinstance(value, torch.dtype):
            return torch.float64 if value in NARROW else value
        if isinstance(value, Tensor) and value.is_nested:
            raise ExportError(
                "the module computes with nested tensors, which no format supports and float64 cannot check; pad them "
                "with torch.nested.to_padded_tensor before any other operator"
            )
        if isinstance(value, Tensor) and value.dtype in NARROW:
            return value.double()
        return value


class Perturbed(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Randomly perturb each element of every operator's floating arguments by zero or two units of rounding.

    A backward stable operator returns the exact result for slightly perturbed arguments (Higham, Accuracy and
    Stability, section 1.5), so each run samples what a runtime may return. This is Monte Carlo arithmetic (Parker
    1997). Exact values are not perturbed. Half of an odd integer, for example, is exact, and it is a tie for any
    operator that rounds it. Views are not perturbed, and what an operator writes into its argument is perturbed in
    place, because both must keep their memory.

    Runtimes approximate sigmoid, tanh and erf with a bounded absolute error, not a relative one (MLAS in onnxruntime
    uses one rational function for all arguments). Results of these functions are therefore perturbed by a few units of
    rounding of 1. Results of gelu and silu, which multiply such a value by the argument, are perturbed by a few units
    of rounding of that argument.
    """

    def __init__(self, unit: float, seed: int) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._unit = unit
        self._exactness = Exactness(unit)
        generator = torch.Generator().manual_seed(seed)
        once = torch.empty(PERIOD, dtype=torch.float64).bernoulli_(0.5, generator=generator)
        self._draws = once.repeat(2)
        self._factors = self._draws * (2 * unit) + 1
        self._starts = random.Random(seed)

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        del types
        if func.overloadpacket in RECURRENT:
            with self:
                return func.decompose(*args, **(kwargs or {}))
        if any(result.alias_info is not None for result in func._schema.returns):
            return self._in_place(func, args, kwargs or {})
        if func.overloadpacket is aten.embedding:  # only the rows taken, instead of the whole table
            return self._move(func, func(*args, **(kwargs or {})))
        result = func(*tree_map(partial(self._move, func), args), **(kwargs or {}))
        if func.overloadpacket in OF_UNIT_RANGE:
            return result.add(self._draw(result), alpha=FUNCTION_UNITS * self._unit)
        if func.overloadpacket in TIMES_UNIT_RANGE:
            return result.addcmul(self._draw(result), args[0].double(), value=FUNCTION_UNITS * self._unit)
        return result

    def _in_place(self, func: Any, args: Any, kwargs: Any) -> Any:
        """Run an operator that returns a view or writes in place; perturb what it wrote, but leave a view as it is."""
        writes = any(found.alias_info is not None and found.alias_info.is_write for found in func._schema.returns)
        before = args[0].double().clone() if writes and args and isinstance(args[0], Tensor) else None
        result = func(*args, **kwargs)
        if before is None or not isinstance(result, Tensor) or not result.is_floating_point():
            return result
        function = getattr(aten, name_of(func), None)
        if function in OF_UNIT_RANGE:
            return result.add_(self._draw(result), alpha=FUNCTION_UNITS * self._unit)
        if function in TIMES_UNIT_RANGE:
            return result.addcmul_(self._draw(result), before, value=FUNCTION_UNITS * self._unit)
        return result.mul_(self._factor(func, result))

    def _move(self, func: Any, value: Any) -> Any:
        if not isinstance(value, Tensor) or not value.is_floating_point():
            return value
        wide = value.double()
        if not hasattr(value, "perturbed"):
            return self._perturbed(func, wide)
        if value.perturbed is None:  # the other factor of a product that is computed in blocks
            value.perturbed = self._perturbed(func, wide)
        return value.perturbed

    def _perturbed(self, func: Any, wide: Tensor) -> Tensor:
        moved = self._times(wide, self._factors)
        rounded = self._rounded(func, wide)
        return moved if rounded is None else torch.where(rounded, moved, wide)

    def _factor(self, func: Any, value: Tensor) -> Tensor:
        """Return 1, or 1 plus two units of rounding, for each element; multiplying by it leaves infinity unchanged."""
        factor = self._times(torch.ones_like(value), self._factors)
        rounded = self._rounded(func, value)
        return factor if rounded is None else torch.where(rounded, factor, 1.0)

    def _rounded(self, func: Any, value: Tensor) -> Tensor | None:
        """Return which elements are perturbed; None for all of them."""
        rounded = self._exactness.rounded(func, value)
        if not value.numel() or max(map(abs, map(float, value.aminmax()))) < MASK:
            return rounded
        return value.abs() < MASK if rounded is None else rounded & (value.abs() < MASK)

    def _draw(self, value: Tensor) -> Tensor:
        """Draw 0 or 1 for each element, which is faster than drawing signs."""
        return self._times(torch.ones_like(value), self._draws)

    def _times(self, value: Tensor, table: Tensor) -> Tensor:
        """Multiply by the elements of a table, from a random place on; the result has the layout of the value."""
        start = self._starts.randrange(PERIOD)
        order = sorted(range(value.dim()), key=value.stride, reverse=True)
        in_memory = value.permute(order)
        flat = in_memory.reshape(-1)
        whole = flat.numel() // PERIOD * PERIOD
        result = torch.empty_like(flat)
        if whole:
            torch.mul(flat[:whole].view(-1, PERIOD), table[start : start + PERIOD], out=result[:whole].view(-1, PERIOD))
        torch.mul(flat[whole:], table[start : start + flat.numel() - whole], out=result[whole:])
        return result.view(in_memory.shape).permute([order.index(axis) for axis in range(value.dim())])
