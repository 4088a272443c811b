"""Run a module in another arithmetic than its own: in float64, or with every rounding moved at random."""

from functools import partial
from typing import Any

import torch
from torch import Tensor
from torch._ops import HigherOrderOperator
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_map

from export.proof.exactness import Exactness, name_of
from linreg.errors import ExportError

NARROW = (torch.float32, torch.float16, torch.bfloat16)

aten = torch.ops.aten
FUNCTION_UNITS = 4
"""onnxruntime 1.32 is off by up to 1.4 units of 2^-23 for sigmoid and 2.7 for tanh, over all float32 from -30 to 30."""

OF_UNIT_RANGE = (aten.sigmoid, aten.tanh, aten.erf)
TIMES_UNIT_RANGE = (aten.gelu, aten.silu)


class InFloat64(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Turn every narrow tensor and dtype argument into float64: a module that casts inside stays in float64.

    Raises:
        ExportError: the module computes with nested tensors, or with an operator that runs Python of its own.
    """

    supports_higher_order_operators = True

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        del types
        if isinstance(func, HigherOrderOperator):
            return self._branch(func, *args)
        if func.overloadpacket is aten._nested_tensor_from_mask_left_aligned:
            raise ExportError(
                "the module may pack its rows into nested tensors, so that eager answers 0 in padded places, where "
                "files answer something else; make nn.TransformerEncoder with enable_nested_tensor=False"
            )
        wide_args, wide_kwargs = tree_map(self._widen, (args, kwargs or {}))
        return func(*wide_args, **wide_kwargs)

    def _branch(self, func: Any, *args: Any) -> Any:
        """What torch.cond does, with the branch in float64."""
        if func is not torch.ops.higher_order.cond:
            raise ExportError(
                f"the module uses torch's {func.name()}, which cannot be run in float64: nothing could be proved of "
                "its files; write a loop over a fixed number of steps, or torch.cond"
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
                "the module computes with nested tensors, which no file holds and float64 cannot check; pad them with "
                "torch.nested.to_padded_tensor before any other operator"
            )
        if isinstance(value, Tensor) and value.dtype in NARROW:
            return value.double()
        return value


class Perturbed(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Move every floating argument of every operator by nothing or by two units of rounding, at random.

    A backward stable operator answers as the exact one would on such arguments (Higham, Accuracy and Stability, section
    1.5), so runs of this are draws of what any runtime may answer: Monte Carlo arithmetic (Parker 1997). Left alone are
    arguments that hold no rounding, as there: u / 2 of a whole number is exact, and a tie for what rounds it. Views are
    left alone, and what an operator writes into its argument is moved in place: both must stay the same memory.

    Runtimes approximate sigmoid, tanh and erf to a unit of their range and not of each small value (onnxruntime's MLAS
    by one rational function for all arguments), so those results are moved by units of 1, and what multiplies an
    argument by one of them, by units of that argument.
    """

    def __init__(self, unit: float, seed: int) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._unit = unit
        self._exactness = Exactness(unit)
        self._generator = torch.Generator().manual_seed(seed)

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        del types
        if any(result.alias_info is not None for result in func._schema.returns):
            return self._in_place(func, args, kwargs or {})
        result = func(*tree_map(partial(self._move, func), args), **(kwargs or {}))
        if func.overloadpacket in OF_UNIT_RANGE:
            return result.add(self._draw(result), alpha=FUNCTION_UNITS * self._unit)
        if func.overloadpacket in TIMES_UNIT_RANGE:
            return result.addcmul(self._draw(result), args[0].double(), value=FUNCTION_UNITS * self._unit)
        return result

    def _in_place(self, func: Any, args: Any, kwargs: Any) -> Any:
        """A view is left alone; what an operator wrote into its first argument is moved there."""
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
        return wide * self._factor(func, wide)

    def _factor(self, func: Any, value: Tensor) -> Tensor:
        """1, or 1 and two units of rounding; a factor leaves infinity what it is."""
        draw = self._draw(value)
        rounded = self._exactness.rounded(func, value)
        if rounded is not None:
            draw *= rounded
        return draw.mul_(2 * self._unit).add_(1)

    def _draw(self, value: Tensor) -> Tensor:
        """0 or 1 for each number; torch draws these faster than signs."""
        return torch.empty_like(value).bernoulli_(0.5, generator=self._generator)
