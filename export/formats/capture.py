"""Capture a module once with torch.export, for both .pt2 and ONNX."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch.export import Dim, ExportedProgram
from torch.fx.experimental import _config

from export.formats.guards import limited_axes
from export.formats.quiet import quiet, reason
from export.formats.recurrent import dynamic_steps
from export.formats.users_line import place_and_advice
from export.source.axes import BATCH, Axis
from export.source.inputs import Input
from export.source.outputs import flat_outputs
from export.source.own_inputs import sizes_of
from export.source.source import Source
from linreg.errors import ExportError

SEED = 20261123
MOST = 4096
"""An axis without a limit must at least reach this size."""

STEPS = "steps_of_"
REMEDY = "make it independent of the batch size, or fix the shape with --static"


def capture(source: Source) -> ExportedProgram:
    """Capture the module without references to its source files, with a symbol for each dynamic axis.

    torch.export assumes that no size is 1, not even one inside the module, such as h // 32. If that limits an axis, the
    module is captured again without the assumption, and then by Dynamo, which reads the bytecode of forward and keeps
    a size that Python itself makes a number, such as len(x).

    Raises:
        ExportError: torch.export refuses the module, for example because its control flow depends on data, or the
            module depends on the size of an axis.
    """
    program = _with_every_axis(source)
    for part in program.graph_module.modules():  # a region under autocast, for example, is a graph inside the graph
        for node in part.graph.nodes if isinstance(part, torch.fx.GraphModule) else ():
            node.meta.pop("stack_trace", None)
    return program


def _with_every_axis(source: Source) -> ExportedProgram:
    """Capture the module in the first way that keeps every axis dynamic; if none does, raise the error of the first."""
    try:
        return _captured(source)
    except DependsOnSizeError as error:
        refusal = error
    with suppress(ExportError), _config.patch(backed_size_oblivious=True):  # type: ignore[attr-defined]
        return _captured(source)
    with suppress(ExportError), _separate_operators():
        return _captured(source, strict=True)
    raise refusal


@contextmanager
def _separate_operators() -> Iterator[None]:
    """Keep torch's attention layers from running as one operator, which ONNX does not have, under Dynamo."""
    enabled = torch.backends.mha.get_fastpath_enabled()
    torch.backends.mha.set_fastpath_enabled(False)
    try:
        yield
    finally:
        torch.backends.mha.set_fastpath_enabled(enabled)


def _own(source: Source) -> tuple[torch.Tensor, ...]:
    """Return the first set of the user's own inputs that is fit for a capture, with as many rows as random ones have.

    torch.export takes sizes of 0 and 1 for constants, and may take two axes of one size for the same.
    """
    example = source.sizes()
    fixed = {size for entry in source.inputs for size in entry.shape if isinstance(size, int)}
    for own in source.own:
        sizes = {name: size for name, size in sizes_of(source.inputs, own.arrays).items() if name != BATCH}
        apart = len({*sizes.values(), *fixed, example.get(BATCH, 0)}) == len(sizes) + len(
            fixed | {example.get(BATCH, 0)}
        )
        if apart and all(sizes[axis.name] >= 2 * axis.least for axis in source.axes if axis.name != BATCH):
            return tuple(
                torch.from_numpy(_with_rows(array, entry, example.get(BATCH, 0)))
                for array, entry in zip(own.arrays, source.inputs, strict=True)
            )
    return ()


def _with_rows(array: NDArray[Any], entry: Input, rows: int) -> NDArray[Any]:
    """Return an array with as many rows, repeated in turn if it has fewer."""
    if BATCH not in entry.shape:
        return array.copy()
    place = entry.shape.index(BATCH)
    taken: NDArray[Any] = np.take(array, np.arange(rows) % array.shape[place], axis=place)
    return taken


class DependsOnSizeError(ExportError):
    """The module works only for some sizes of an axis that is declared dynamic."""


def _captured(source: Source, *, strict: bool = False) -> ExportedProgram:
    random = tuple(torch.from_numpy(array) for array in source.random_inputs(source.sizes(), 1.0, SEED))
    inputs = _own(source) or random
    args, kwargs = source.arguments.bind(inputs)
    dims = {axis.name: _dim(axis) for axis in source.axes}
    shapes = [
        {place: dims[size] for place, size in enumerate(entry.shape) if isinstance(size, str)}
        for entry in source.inputs
    ]
    try:
        # With gradients, attention has other strides.
        with quiet(), torch.no_grad(), flat_outputs(source.module), dynamic_steps():
            program = torch.export.export(
                source.module,
                args,
                kwargs or None,
                dynamic_shapes=_like_arguments(source, shapes) if source.axes else None,
                strict=strict,
            )
    except Exception as error:  # torch.export raises many classes
        shapes_of_inputs = [entry.shape for entry in source.inputs]
        if limited := limited_axes(str(error), source.axes, shapes_of_inputs, STEPS):
            if all(axis.name == BATCH for axis in source.axes):
                raise _depends(source.axes[0], f"torch.export: {reason(error)}") from error
            raise DependsOnSizeError(f"the module depends on the size of an axis: {'; '.join(limited)}") from error
        what = f"{reason(error)}{place_and_advice(error)}"
        raise ExportError(f"torch.export refuses the module: {what}") from error
    _check_axes(program, source)
    if source.own:
        # A .pt2 file holds them, and the user's own may be private.
        program.example_inputs = source.arguments.bind(random)
    return program


def _like_arguments(source: Source, shapes: list[dict[int, Any]]) -> Any:
    """Return the dynamic axes of all tensors in the structure of forward's arguments."""
    args, kwargs = source.arguments.bind(shapes)
    return {**dict(zip(source.arguments.names(), args, strict=False)), **kwargs} if kwargs else args


def _dim(axis: Axis) -> Any:
    """Return the symbol of an axis. One with steps is a multiple of the symbol of its number of steps."""
    if axis.name == BATCH and axis == Axis(name=BATCH):
        return Dim(BATCH)
    if axis.step == 1:
        return Dim(axis.name, min=_lower(axis.least), max=axis.largest())
    first, rest = divmod(axis.least, axis.step)
    largest = axis.largest()
    steps = Dim(f"{STEPS}{axis.name}", min=_lower(first), max=None if largest is None else largest // axis.step)
    return axis.step * steps + rest if rest else axis.step * steps


def _lower(size: int) -> int | None:
    """Return the lower limit of a symbol, if it is one; torch.export may take a limit of 1 for 2."""
    return size if size > 1 else None


def _check_axes(program: ExportedProgram, source: Source) -> None:
    """Check that no axis was specialised to the size of the example, or to a narrower range."""
    tensors = [node.meta["val"] for node in program.graph.nodes if node.op == "placeholder"][-len(source.inputs) :]
    ranges = {axis.name: axis for axis in source.axes}
    for entry, tensor in zip(source.inputs, tensors, strict=True):
        for name, size in zip(entry.shape, tensor.shape, strict=True):
            if not isinstance(name, str):
                continue
            axis = ranges[name]
            if isinstance(size, int):
                raise _depends(axis, f"it was captured for a size of {size} only")
            for symbol in size.node.expr.free_symbols:
                interval = program.range_constraints[symbol]
                most = MOST if axis.largest() is None else axis.largest() // axis.step  # type: ignore[operator]
                least = 2 if axis.step > 1 else 1  # torch.export gives a factor this limit, but does not enforce it
                if interval.upper < most or interval.lower > max(least, axis.least // axis.step):
                    raise _depends(axis, f"it works for {interval.lower} to {interval.upper} only")


def _depends(axis: Axis, why: str) -> DependsOnSizeError:
    if axis.name == BATCH:
        return DependsOnSizeError(f"the module depends on the size of the batch; {REMEDY} ({why})")
    return DependsOnSizeError(
        f"the module depends on the size of axis {axis.name!r} ({why}); write its size, or give it a range such as "
        f"{axis.name}:2..512, or fix it: --static {axis.name}=SIZE"
    )


def symbols(program: ExportedProgram, source: Source) -> dict[str, str]:
    """Return what each symbol of a capture stands for: the name of an axis, or an expression such as `h//32`."""
    tensors = [node.meta["val"] for node in program.graph.nodes if node.op == "placeholder"][-len(source.inputs) :]
    ranges = {axis.name: axis for axis in source.axes}
    found: dict[str, str] = {}
    for entry, tensor in zip(source.inputs, tensors, strict=True):
        for name, size in zip(entry.shape, tensor.shape, strict=True):
            if isinstance(name, str):
                step = ranges[name].step
                found |= {
                    str(symbol): name if step == 1 else f"{name}//{step}" for symbol in size.node.expr.free_symbols
                }
    return found
