"""Capture nn.LSTM and nn.GRU with a dynamic number of steps.

torch.export records each of them as one operator, but finds the shapes of its outputs by running it step by step, which
fixes the number of steps to that of the example. These shapes follow from those of the inputs alone.
"""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from typing import Any

import torch
from torch import Tensor
from torch._decomp import decomposition_table

Kernel = Callable[..., tuple[Tensor, ...]]
KEYS = (torch._C.DispatchKey.Meta, torch._C.DispatchKey.Autograd, torch._C.DispatchKey.CompositeImplicitAutograd)
OPERATORS = ("lstm", "gru")


@contextmanager
def dynamic_steps() -> Iterator[None]:
    """Keep the number of steps of recurrent layers dynamic in a capture, and in what is made from it."""
    with ExitStack() as stack:
        for name in OPERATORS:
            operator = getattr(torch.ops.aten, name).input
            stack.callback(operator._dispatch_cache.clear)
            for table, key in [(operator.py_kernels, key) for key in KEYS] + [(decomposition_table, operator)]:
                if key in table:
                    stack.enter_context(_replaced(table, key))
            operator._dispatch_cache.clear()
        yield


@contextmanager
def _replaced(table: dict[Any, Any], key: Any) -> Iterator[None]:
    original = table[key]
    table[key] = partial(_run, original)
    try:
        yield
    finally:
        table[key] = original


def _run(original: Kernel, x: Tensor, state: Any, *rest: Any) -> tuple[Tensor, ...]:
    """Run a recurrent layer, or make outputs of its shapes if the number of steps is a symbol.

    Args:
        original: the layer, step by step.
        x: the input, of shape (batch, steps, features), or (steps, batch, features).
        state: the state before the first step, or the list of both states of nn.LSTM.
        rest: parameters, has_biases, num_layers, dropout, train, bidirectional and batch_first.
    """
    bidirectional, batch_first = rest[-2:]
    if isinstance(x.shape[1 if batch_first else 0], int):
        return original(x, state, *rest)
    states = [state] if isinstance(state, Tensor) else state
    features = states[0].shape[-1] * (2 if bidirectional else 1)
    return x.new_empty(x.shape[0], x.shape[1], features), *(torch.empty_like(each) for each in states)
